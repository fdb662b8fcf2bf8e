import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.apache.kafka.common.serialization.StringDeserializer;

/** Follow doc.upserted until COUNT events have come: Consume BOOTSTRAP REGISTRY GROUP COUNT. */
public final class Consume {
    public static void main(String[] given) {
        Properties settings = new Properties();
        settings.put("bootstrap.servers", given[0]);
        settings.put("group.id", given[2]);
        settings.put("isolation.level", "read_committed");
        settings.put("auto.offset.reset", "earliest");
        settings.put("enable.auto.commit", "false");
        int left = Integer.parseInt(given[3]);
        try (var consumer = new KafkaConsumer<>(settings, new StringDeserializer(), new ByteArrayDeserializer())) {
            consumer.subscribe(List.of("doc.upserted"));
            while (left > 0) {
                for (ConsumerRecord<String, byte[]> record : consumer.poll(Duration.ofSeconds(1))) {
                    if (left == 0) {
                        break;
                    }
                    System.out.println(shown(record));
                    // After the event is dealt with, never before.
                    consumer.commitSync(Map.of(new TopicPartition(record.topic(), record.partition()),
                            new OffsetAndMetadata(record.offset() + 1)));
                    left--;
                }
            }
        }
    }

    private static String shown(ConsumerRecord<String, byte[]> record) {
        var event = new Roggia.Reader(record.value());
        String eventId = event.text();
        event.text(); // parent_event_id
        event.number(); // occurred_at
        event.number(); // indexed_at
        event.text(); // tenant_id
        event.text(); // domain
        event.text(); // doc_id
        long revision = event.number();
        event.number(); // epoch
        boolean deleted = event.flag();
        event.number(); // generation
        event.text(); // collection
        event.text(); // model
        long chunks = event.number();
        // A replayed event tells nothing new: count by event_id, and bill or notify only where this header is absent.
        boolean replayed = record.headers().lastHeader("roggia_replay_job") != null;
        return String.format(
                "{\"key\": \"%s\", \"replayed\": %b, \"event_id\": \"%s\", \"revision\": %d, \"deleted\": %b, \"chunks\": %d}",
                record.key(), replayed, eventId, revision, deleted, chunks);
    }
}
