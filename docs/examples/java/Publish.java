import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Properties;
import java.util.UUID;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.header.Header;
import org.apache.kafka.common.header.internals.RecordHeader;
import org.apache.kafka.common.serialization.ByteArraySerializer;

/** Publish one document to Roggia, or delete it: Publish BOOTSTRAP REGISTRY TENANT DOMAIN DOC_ID REVISION (FILE | --delete). */
public final class Publish {
    private static final int UPSERT = 1;
    private static final int DELETE = 2;

    public static void main(String[] given) throws Exception {
        String tenant = given[2], domain = given[3], docId = given[4];
        boolean deletion = given[6].equals("--delete");
        String eventId = UUID.randomUUID().toString(); // a retry must send the same id: make it once per change
        Roggia.Writer event = new Roggia.Writer(Roggia.schemaId(given[1], "doc.changed-value", 1))
                .text(eventId)
                .number(System.currentTimeMillis())
                .text(tenant).text(domain).text(docId)
                .number(Long.parseLong(given[5]))
                .number(deletion ? DELETE : UPSERT);
        if (deletion) {
            event.none().none();
        } else {
            event.some().text("text/markdown").some().bytes(Files.readAllBytes(Path.of(given[6])));
        }
        event.none().none().none().none(); // content_ref, title, source, language
        event.texts(deletion ? new String[0] : new String[] {"staff"});
        event.none().none().texts(); // created_at, expires_at, metadata

        Properties settings = new Properties();
        settings.put("bootstrap.servers", given[0]);
        settings.put("acks", "all");
        settings.put("enable.idempotence", "true");
        // The default partitioner hashes keys with murmur2, which is what Roggia expects.
        try (var producer = new KafkaProducer<>(settings, new ByteArraySerializer(), new ByteArraySerializer())) {
            byte[] key = (tenant + "/" + docId).getBytes(StandardCharsets.UTF_8);
            List<Header> headers = List.of(
                    header("ce_specversion", "1.0"), header("ce_type", "roggia.doc.changed"),
                    header("ce_source", "/example/java"), header("ce_id", eventId),
                    header("content-type", "application/vnd.apache.avro"));
            producer.send(new ProducerRecord<>("doc.changed", null, key, event.done(), headers)).get();
        }
    }

    private static Header header(String name, String value) {
        return new RecordHeader(name, value.getBytes(StandardCharsets.UTF_8));
    }
}
