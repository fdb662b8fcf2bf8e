// Checks one record's proof in the browser, with WebCrypto alone: value → entry → root → signature of the log.
// Sources: RFC 6962 (hashes), RFC 9162 section 2.1.3.2 (path), C2SP signed-note and tlog-checkpoint (signature).
(() => {
  "use strict";
  const form = document.getElementById("verify");
  const verdict = document.getElementById("verdict");
  if (!form || !verdict) return;
  const KEPT = "roggia.audit.key";
  const STATUSES = { 1: "RATED", 2: "UNPRICED", 3: "PARKED", 4: "UNREADABLE", 5: "ACT", 6: "ACCESS" };
  const text = new TextEncoder();
  const raw = (base64) => Uint8Array.from(atob(base64), (one) => one.charCodeAt(0));
  const joined = (...parts) => new Uint8Array(parts.flatMap((part) => [...part]));
  const sha256 = async (bytes) => new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
  const same = (one, other) => one.length === other.length && one.every((byte, at) => byte === other[at]);
  const need = (holds, otherwise) => { if (!holds) throw new Error(otherwise); };
  const uuid = (bytes) => [...bytes].map((one) => one.toString(16).padStart(2, "0")).join("")
    .replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, "$1-$2-$3-$4-$5");

  // The entry's layout is that of roggia_auditor/leaf.py: big-endian, texts behind their length in two bytes.
  const decoded = (entry) => {
    const view = new DataView(entry.buffer, entry.byteOffset, entry.byteLength);
    need(view.getUint8(0) === 1 && view.getUint8(62) === 0, "the entry is of a schema that this page does not know");
    const found = {
      offset: String(view.getBigUint64(21)), appended_at: Number(view.getBigUint64(29)), event_id: uuid(entry.slice(37, 53)),
      tenant_seq: String(view.getBigUint64(53)), status: STATUSES[view.getUint8(61)],
      pico_usd: view.getUint8(63) ? String(view.getBigInt64(64)) : null,
    };
    let at = 72;
    for (const name of ["tenant", "reason", "period", "booked", "price_version"]) {
      const end = at + 2 + view.getUint16(at);
      found[name] = new TextDecoder("utf-8", { fatal: true }).decode(entry.slice(at + 2, end));
      at = end;
    }
    need(entry.length === at + 32, "the entry is of another length");
    return [found, entry.slice(at)];
  };

  const rootOf = async (leaf, index, size, path) => {
    need(index >= 0n && index < size, "the leaf is not in the tree that the checkpoint speaks of");
    let [found, at, end] = [leaf, index, size - 1n];
    for (const sibling of path) {
      need(sibling.length === 32 && end > 0n, "the path is too long, or one of its hashes is");
      if (at & 1n || at === end) {
        found = await sha256(joined([1], sibling, found));
        while (!(at & 1n) && at) { at >>= 1n; end >>= 1n; }
      } else {
        found = await sha256(joined([1], found, sibling));
      }
      at >>= 1n; end >>= 1n;
    }
    need(end === 0n, "the path is too short");
    return found;
  };

  const signed = async (checkpoint, key) => {
    const [name, told, ...rest] = key.trim().split("+");
    const material = raw(rest.join("+"));
    need(material.length === 33 && material[0] === 1, "the key is none of an Ed25519 log: NAME+ID+BASE64");
    const id = (await sha256(joined(text.encode(`${name}\n`), material))).slice(0, 4);
    need([...id].map((one) => one.toString(16).padStart(2, "0")).join("") === told, "the key's name and its bytes do not belong together");
    const cut = checkpoint.lastIndexOf("\n\n");
    need(cut > 0, "the checkpoint is no signed note");
    const body = checkpoint.slice(0, cut + 1);
    const lines = checkpoint.slice(cut + 2).split("\n").filter((line) => line.startsWith(`— ${name} `));
    const marks = lines.map((line) => raw(line.slice(`— ${name} `.length))).filter((mark) => same(mark.slice(0, 4), id));
    need(marks.length > 0, `the checkpoint is not signed by ${name} with this key`);
    const imported = await crypto.subtle.importKey("raw", material.slice(1), { name: "Ed25519" }, false, ["verify"]);
    for (const mark of marks) {
      need(await crypto.subtle.verify({ name: "Ed25519" }, imported, mark.slice(4), text.encode(body)), `a signature of ${name} does not hold`);
    }
    return [body, name];
  };

  const check = async (record, proof, key) => {
    const [body, name] = await signed(proof.checkpoint, key);
    const [origin, size, root] = body.split("\n");
    need(name.endsWith("/head") && origin.startsWith(name.slice(0, -"head".length)), `${origin} is no log of ${name}`);
    need(origin === record.log, `the checkpoint is of ${origin}, the page shows a record of ${record.log}`);
    const entry = raw(proof.entry);
    const [said, digest] = decoded(entry);
    need(same(await sha256(raw(proof.value)), digest), "the event is not the one that was logged");
    const leaf = await sha256(joined([0], entry));
    need(same(await rootOf(leaf, BigInt(proof.index), BigInt(size), proof.path.map(raw)), raw(root)), "the record does not lead to the signed root");
    const hex = [...leaf].map((one) => one.toString(16).padStart(2, "0")).join("");
    const derived = { index: proof.index, leaf_hash: hex, late: said.booked !== said.period };
    for (const [field, value] of Object.entries({ ...said, ...derived })) {
      need(record[field] === value, `the page shows ${field} ${record[field]}, the log says ${value}`);
    }
    return `It holds: record ${said.tenant_seq} of ${said.tenant || "nobody"}, leaf ${proof.index} of ${size}, under the signature of ${name}. Model, prompt, ids, times and the event below are read by the server from the proven bytes, whose SHA-256 the record holds: this page does not read them again.`;
  };

  const say = (kind, words) => {
    const note = document.createElement("p");
    note.className = `note ${kind}`;
    note.textContent = words;
    verdict.replaceChildren(note);
  };

  form.elements.key.value = localStorage.getItem(KEPT) ?? "";
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    if (!globalThis.crypto?.subtle) {
      say("bad", "This browser checks signatures only on pages from https or from this machine.");
      return;
    }
    try {
      const { record, proof } = JSON.parse(form.dataset.proof);
      say("ok", await check(record, proof, form.elements.key.value));
      localStorage.setItem(KEPT, form.elements.key.value);
    } catch (error) {
      say("bad", `It does not hold: ${error.message}`);
    }
  });
})();
