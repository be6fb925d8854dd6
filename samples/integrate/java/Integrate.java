// Submits a PDF, follows it through the topic, and asks where it stands: java -cp … Integrate.java FILE
//
// Needs kafka-clients and jackson-databind (pom.xml). INGEST, NOTIFIER, KAFKA, TOPIC and GROUP say where; else it is the local stack.

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.UUID;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.common.header.Header;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.apache.kafka.common.serialization.StringDeserializer;

public class Integrate {
    static final HttpClient HTTP = HttpClient.newHttpClient();
    static final ObjectMapper JSON = new ObjectMapper();
    static final String INGEST = env("INGEST", "http://127.0.0.1:8001");
    static final String NOTIFIER = env("NOTIFIER", "http://127.0.0.1:8000");

    public static void main(String[] args) throws Exception {
        JsonNode accepted = submit(Path.of(args[0]));
        String requestId = accepted.get("request_id").asText();
        System.out.println("submitted " + requestId);
        Set<String> wanted = new HashSet<>();
        accepted.get("batches").forEach(batch -> wanted.add(batch.get("batch_id").asText()));
        consume(wanted);
        HttpRequest ask = HttpRequest.newBuilder(URI.create(NOTIFIER + "/api/requests/" + requestId)).build();
        // The notifier reads the same topic: it may know of the end a moment later.
        for (String status = "processing"; ; Thread.sleep(200)) {
            status = JSON.readTree(HTTP.send(ask, HttpResponse.BodyHandlers.ofString()).body()).path("status").asText();
            if (!List.of("", "queued", "processing").contains(status)) {
                System.out.println("asked " + status + " " + requestId);
                return;
            }
        }
    }

    /** The answer of a 202. The same key each time: however often this is sent, there is one upload. */
    static JsonNode submit(Path file) throws IOException, InterruptedException {
        String boundary = UUID.randomUUID().toString();
        HttpRequest request = HttpRequest.newBuilder(URI.create(INGEST + "/api/documents/process"))
                .header("Idempotency-Key", UUID.randomUUID().toString())
                .header("Content-Type", "multipart/form-data; boundary=" + boundary)
                .POST(HttpRequest.BodyPublishers.ofByteArray(multipart(file, boundary)))
                .build();
        HttpResponse<String> answer = HTTP.send(request, HttpResponse.BodyHandlers.ofString());
        while (answer.statusCode() == 503) {
            Thread.sleep(1000 * answer.headers().firstValueAsLong("Retry-After").orElse(5));
            answer = HTTP.send(request, HttpResponse.BodyHandlers.ofString());
        }
        JsonNode body = JSON.readTree(answer.body());
        if (answer.statusCode() != 202) {
            throw new IOException(answer.statusCode() + " " + body.get("code").asText() + ": " + body.get("detail").asText());
        }
        return body;
    }

    static byte[] multipart(Path file, String boundary) throws IOException {
        String head = "--" + boundary + "\r\nContent-Disposition: form-data; name=\"files\"; filename=\"" + file.getFileName()
                + "\"\r\nContent-Type: application/pdf\r\n\r\n";
        ByteArrayOutputStream body = new ByteArrayOutputStream();
        body.write(head.getBytes(StandardCharsets.UTF_8));
        body.write(Files.readAllBytes(file));
        body.write(("\r\n--" + boundary + "--\r\n").getBytes(StandardCharsets.UTF_8));
        return body.toByteArray();
    }

    /** Reads the topic until the batches have ended. */
    static void consume(Set<String> wanted) throws IOException {
        Map<String, Object> settings = Map.of(
                "bootstrap.servers", env("KAFKA", "127.0.0.1:9092"),
                "group.id", env("GROUP", "integrate-java"),
                "auto.offset.reset", "earliest",
                "enable.auto.commit", false);
        Set<String> seen = new HashSet<>();
        try (var consumer = new KafkaConsumer<>(settings, new StringDeserializer(), new ByteArrayDeserializer())) {
            consumer.subscribe(List.of(env("TOPIC", "quire.batches")));
            while (!wanted.isEmpty()) {
                for (ConsumerRecord<String, byte[]> record : consumer.poll(Duration.ofSeconds(1))) {
                    if (wanted.contains(record.key()) && seen.add(header(record, "ce_id")) && ended(record)) {
                        wanted.remove(record.key());
                    }
                }
                consumer.commitSync();
            }
        }
    }

    /** Says what the event is. The key is the id of the batch; fields that are not known are ignored. */
    static boolean ended(ConsumerRecord<String, byte[]> record) throws IOException {
        String type = header(record, "ce_type");
        switch (type) {
            case "quire.file.failed.v1" -> {
                JsonNode data = JSON.readTree(record.value());
                System.out.println(type + " " + record.key() + " " + data.get("code").asText());
            }
            case "quire.batch.created.v1", "quire.batch.started.v1", "quire.file.processed.v1",
                    "quire.batch.completed.v1", "quire.batch.failed.v1", "quire.batch.cancel_requested.v1" ->
                System.out.println(type + " " + record.key());
            default -> { } // of a newer Quire, or not of interest
        }
        return Set.of("quire.batch.completed.v1", "quire.batch.failed.v1", "quire.batch.cancel_requested.v1").contains(type);
    }

    static String header(ConsumerRecord<String, byte[]> record, String name) {
        Header header = record.headers().lastHeader(name);
        return header == null ? "" : new String(header.value(), StandardCharsets.UTF_8);
    }

    static String env(String name, String otherwise) {
        return System.getenv().getOrDefault(name, otherwise);
    }
}
