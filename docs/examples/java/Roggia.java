import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;

/**
 * What Java needs besides kafka-clients when no Avro library is at hand: the frame, a schema's id, and the few Avro
 * encodings that Roggia's events use. With Confluent's KafkaAvroSerializer none of this is needed: see publish.md.
 */
final class Roggia {
    private Roggia() {}

    /** Id of one released version of a subject. Values must be written as exactly that version says. */
    static int schemaId(String registry, String subject, int version) throws IOException, InterruptedException {
        URI uri = URI.create(registry + "/subjects/" + subject + "/versions/" + version);
        HttpResponse<String> answer =
                HttpClient.newHttpClient().send(HttpRequest.newBuilder(uri).build(), HttpResponse.BodyHandlers.ofString());
        if (answer.statusCode() != 200) {
            throw new IOException(uri + ": " + answer.statusCode() + " " + answer.body());
        }
        JsonNode found = new ObjectMapper().readTree(answer.body());
        return found.get("id").asInt();
    }

    /** Writes Avro's binary encoding (Avro 1.12, "Binary Encoding"), behind Confluent's frame. */
    static final class Writer {
        private final ByteArrayOutputStream out = new ByteArrayOutputStream();

        Writer(int schemaId) {
            out.write(0);
            out.writeBytes(ByteBuffer.allocate(4).putInt(schemaId).array());
        }

        Writer number(long value) {
            long zigzag = (value << 1) ^ (value >> 63);
            while ((zigzag & ~0x7FL) != 0) {
                out.write((int) (zigzag & 0x7F | 0x80));
                zigzag >>>= 7;
            }
            out.write((int) zigzag);
            return this;
        }

        Writer bytes(byte[] value) {
            number(value.length);
            out.writeBytes(value);
            return this;
        }

        Writer text(String value) {
            return bytes(value.getBytes(StandardCharsets.UTF_8));
        }

        /** Null in a union whose first branch is null. */
        Writer none() {
            return number(0);
        }

        /** The second branch of such a union follows. */
        Writer some() {
            return number(1);
        }

        /** An array of texts; an empty map looks the same as an empty array. */
        Writer texts(String... values) {
            if (values.length > 0) {
                number(values.length);
                for (String value : values) {
                    text(value);
                }
            }
            return number(0);
        }

        byte[] done() {
            return out.toByteArray();
        }
    }

    /** Reads what Writer writes. */
    static final class Reader {
        private final ByteBuffer in;

        Reader(byte[] framed) {
            in = ByteBuffer.wrap(framed);
            if (in.get() != 0) {
                throw new IllegalArgumentException("not in Confluent's wire format");
            }
            in.getInt();
        }

        long number() {
            long zigzag = 0;
            for (int shift = 0; shift < 64; shift += 7) {
                byte next = in.get();
                zigzag |= (long) (next & 0x7F) << shift;
                if (next >= 0) {
                    return (zigzag >>> 1) ^ -(zigzag & 1);
                }
            }
            throw new IllegalArgumentException("a number of more than ten bytes");
        }

        boolean flag() {
            return in.get() != 0;
        }

        String text() {
            byte[] value = new byte[Math.toIntExact(number())];
            in.get(value);
            return new String(value, StandardCharsets.UTF_8);
        }
    }
}
