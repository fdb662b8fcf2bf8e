// Refreshes the parts of a page that are marked live, unless the reader is in the middle of one of them or holds it.
(() => {
  "use strict";
  const PERIOD_MS = 3000;
  const parts = () => [...document.querySelectorAll("[data-live]")];
  const pulse = document.querySelector("[data-pulse]");
  const hold = document.querySelector("[data-hold]");
  if (!parts().length || !pulse || !hold) return;
  pulse.hidden = false;
  hold.addEventListener("click", () => {
    const held = hold.getAttribute("aria-pressed") !== "true";
    hold.setAttribute("aria-pressed", String(held));
    hold.textContent = held ? "Go on" : "Hold";
  });
  const busy = (part) =>
    (document.activeElement !== document.body && part.contains(document.activeElement)) ||
    part.contains(getSelection()?.anchorNode ?? null) && !getSelection().isCollapsed;
  const refresh = async () => {
    if (document.hidden || hold.getAttribute("aria-pressed") === "true") return;
    const reply = await fetch(location.href, { headers: { accept: "text/html" } });
    if (!reply.ok) return;
    const fresh = new DOMParser().parseFromString(await reply.text(), "text/html");
    for (const part of parts()) {
      const next = fresh.getElementById(part.id);
      if (!next || busy(part)) continue;
      for (const open of part.querySelectorAll("details[open][id]")) {
        next.querySelector(`[id="${open.id}"]`)?.setAttribute("open", "");
      }
      part.replaceChildren(...next.childNodes);
    }
  };
  const loop = async () => {
    try { await refresh(); } catch { /* the next round asks again; the page stays as it is */ }
    setTimeout(loop, PERIOD_MS);
  };
  setTimeout(loop, PERIOD_MS);
})();
