// The two registry calls that a client needs, and the frame around every value: a zero byte, the schema id, Avro.
import avro from "avsc";

const types = new Map();

export async function subject(registry, name) {
  const answer = await call(`${registry}/subjects/${name}/versions/latest`);
  return { id: answer.id, type: parse(answer.schema) };
}

export function encode({ id, type }, value) {
  const head = Buffer.alloc(5);
  head.writeInt32BE(id, 1);
  return Buffer.concat([head, type.toBuffer(value)]);
}

export async function decode(registry, bytes) {
  if (bytes[0] !== 0) throw new Error(`magic byte ${bytes[0]} is not 0`);
  const id = bytes.readInt32BE(1);
  if (!types.has(id)) types.set(id, parse((await call(`${registry}/schemas/ids/${id}`)).schema));
  return types.get(id).fromBuffer(bytes.subarray(5));
}

// Unions hold null or one other type: plain values, no wrapping. Milliseconds and revisions are below 2^53.
function parse(schema) {
  return avro.Type.forSchema(JSON.parse(schema), { wrapUnions: false });
}

async function call(url) {
  const answer = await fetch(url, { headers: { accept: "application/vnd.schemaregistry.v1+json" } });
  if (!answer.ok) throw new Error(`${url}: ${answer.status} ${await answer.text()}`);
  return answer.json();
}
