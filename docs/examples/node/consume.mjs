// Follow doc.upserted: what has become searchable, or is gone. Ends after COUNT events.
// node consume.mjs BOOTSTRAP REGISTRY GROUP COUNT
import { decompress } from "fzstd";
import kafkajs from "kafkajs";
import { decode } from "./registry.mjs";

const { CompressionCodecs, CompressionTypes, Kafka, logLevel } = kafkajs;
// Roggia's services compress with zstd, which kafkajs leaves to its users.
CompressionCodecs[CompressionTypes.ZSTD] = () => ({ decompress: async (bytes) => Buffer.from(decompress(bytes)) });

const [bootstrap, registry, group, count] = process.argv.slice(2);
const kafka = new Kafka({ brokers: bootstrap.split(","), clientId: "example-node", logLevel: logLevel.ERROR });
const consumer = kafka.consumer({ groupId: group, readUncommitted: false });
await consumer.connect();
await consumer.subscribe({ topic: "doc.upserted", fromBeginning: true });
let left = Number(count);
let done;
const ended = new Promise((resolve) => { done = resolve; });
await consumer.run({
  autoCommit: false,
  eachMessage: async ({ topic, partition, message }) => {
    if (left <= 0) return;
    const event = await decode(registry, message.value);
    console.log(JSON.stringify({
      key: message.key.toString(),
      // A replayed event tells nothing new: count by event_id, and bill or notify only where this header is absent.
      replayed: "roggia_replay_job" in message.headers,
      event_id: event.event_id, revision: event.revision, deleted: event.deleted, chunks: event.chunks,
    }));
    // After the event is dealt with, never before.
    await consumer.commitOffsets([{ topic, partition, offset: String(BigInt(message.offset) + 1n) }]);
    left -= 1;
    if (left === 0) done();
  },
});
await ended;
await consumer.disconnect();
