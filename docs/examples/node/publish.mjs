// Publish one document to Roggia, or delete it.
// node publish.mjs BOOTSTRAP REGISTRY TENANT DOMAIN DOC_ID REVISION (FILE | --delete)
import { randomUUID } from "node:crypto";
import { readFileSync } from "node:fs";
import { Kafka, Partitioners, logLevel } from "kafkajs";
import { encode, subject } from "./registry.mjs";

const [bootstrap, registry, tenant, domain, docId, revision, what] = process.argv.slice(2);
const deletion = what === "--delete";
const event = {
  event_id: randomUUID(), // a retry must send the same id: make it once per change
  occurred_at: Date.now(),
  tenant_id: tenant,
  domain,
  doc_id: docId,
  revision: Number(revision),
  operation: deletion ? "DELETE" : "UPSERT",
  content_type: deletion ? null : "text/markdown",
  content: deletion ? null : readFileSync(what),
  content_ref: null,
  title: null,
  source: null,
  language: null,
  acl: deletion ? [] : ["staff"],
  created_at: null,
  expires_at: null,
  metadata: {},
};

const kafka = new Kafka({ brokers: bootstrap.split(","), clientId: "example-node", logLevel: logLevel.ERROR });
// DefaultPartitioner is murmur2, as in Java; LegacyPartitioner is not.
const producer = kafka.producer({ idempotent: true, createPartitioner: Partitioners.DefaultPartitioner });
await producer.connect();
await producer.send({
  topic: "doc.changed",
  acks: -1,
  messages: [{
    key: `${tenant}/${docId}`,
    value: encode(await subject(registry, "doc.changed-value"), event),
    headers: {
      ce_specversion: "1.0", ce_type: "roggia.doc.changed", ce_source: "/example/node", ce_id: event.event_id,
      "content-type": "application/vnd.apache.avro",
    },
  }],
});
await producer.disconnect();
