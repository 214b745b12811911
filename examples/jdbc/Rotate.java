import java.net.URI;
import java.net.URLEncoder;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.charset.StandardCharsets;
import java.sql.DriverManager;
import java.time.Duration;
import java.time.Instant;
import java.time.ZonedDateTime;
import java.time.format.DateTimeFormatter;
import java.util.Base64;
import java.util.Properties;
import java.util.concurrent.Executors;
import java.util.concurrent.TimeUnit;
import java.util.regex.Pattern;
import org.postgresql.plugin.AuthenticationPlugin;
import org.postgresql.plugin.AuthenticationRequestType;

/**
 * Credentials of Postern for JDBC, both ways: `Rotate check-at-each-use` and `Rotate background-refresh`. The driver asks the
 * plugin at each new session, so a pool such as HikariCP needs nothing but the property `authenticationPluginClassName`.
 */
public class Rotate {
  /** Keeps a database credential until near its end; one thread at a time renews it. */
  public static class PosternPassword implements AuthenticationPlugin {
    private static final HttpClient http = HttpClient.newHttpClient();
    private static String token;
    private static Instant renewAt = Instant.MIN;
    private static Instant endsAt = Instant.MIN;

    @Override
    public char[] getPassword(AuthenticationRequestType type) {
      return current().toCharArray();
    }

    static synchronized String current() {
      if (Instant.now().isBefore(renewAt)) return token;
      try {
        renew();
      } catch (Exception away) {
        // Postern is away: the credential goes on while it logs in.
        if (!Instant.now().isBefore(endsAt)) throw new IllegalStateException("no database credential", away);
      }
      return token;
    }

    private static void renew() throws Exception {
      String pair = encode(env("POSTERN_CLIENT_ID")) + ":" + encode(env("POSTERN_CLIENT_SECRET"));
      String basic = "Basic " + Base64.getEncoder().encodeToString(pair.getBytes(StandardCharsets.UTF_8));
      String form = "grant_type=client_credentials&scope=all-apis";
      var granted = post("/oidc/v1/token", "application/x-www-form-urlencoded", form, basic);
      String body = "{\"instanceNames\":[\"" + env("POSTERN_INSTANCE") + "\"]}";
      String bearer = "Bearer " + field(granted.body(), "access_token");
      var answer = post("/v1/databaseCredentials", "application/json", body, bearer);
      Instant answeredAt =
          ZonedDateTime.parse(answer.headers().firstValue("date").orElseThrow(), DateTimeFormatter.RFC_1123_DATE_TIME)
              .toInstant();
      // By the clock of the server.
      Duration lifetime = Duration.between(answeredAt, Instant.parse(field(answer.body(), "expiresAt")));
      Duration before = lifetime.dividedBy(4).compareTo(Duration.ofMinutes(5)) < 0 ? lifetime.dividedBy(4) : Duration.ofMinutes(5);
      token = field(answer.body(), "token");
      endsAt = Instant.now().plus(lifetime);
      renewAt = endsAt.minus(before);
    }

    private static HttpResponse<String> post(String path, String type, String body, String authorization) throws Exception {
      HttpRequest request =
          HttpRequest.newBuilder(URI.create(env("POSTERN_HOST") + path))
              .timeout(Duration.ofSeconds(10))
              .header("content-type", type)
              .header("authorization", authorization)
              .POST(HttpRequest.BodyPublishers.ofString(body))
              .build();
      HttpResponse<String> answer = http.send(request, HttpResponse.BodyHandlers.ofString());
      if (answer.statusCode() != 200) throw new IllegalStateException("HTTP " + answer.statusCode() + " for " + path);
      return answer;
    }

    /** A program has a JSON library; tokens and times hold nothing that would be escaped. */
    private static String field(String json, String name) {
      var found = Pattern.compile("\"" + name + "\"\\s*:\\s*\"([^\"]*)\"").matcher(json);
      if (!found.find()) throw new IllegalStateException("no " + name + " in the answer");
      return found.group(1);
    }

    private static String encode(String text) {
      return URLEncoder.encode(text, StandardCharsets.UTF_8);
    }
  }

  static String env(String name) {
    return System.getenv(name);
  }

  public static void main(String[] arguments) throws Exception {
    var background = Executors.newSingleThreadScheduledExecutor();
    if (arguments[0].equals("background-refresh")) {
      background.scheduleWithFixedDelay(PosternPassword::current, 0, 500, TimeUnit.MILLISECONDS);
    }
    Properties settings = new Properties();
    settings.setProperty("user", env("POSTERN_CLIENT_ID"));
    settings.setProperty("authenticationPluginClassName", PosternPassword.class.getName());
    settings.setProperty("sslmode", "verify-full");
    settings.setProperty("sslrootcert", env("PGSSLROOTCERT"));
    String url = "jdbc:postgresql://" + env("PGHOST") + ":" + env("PGPORT") + "/" + env("PGDATABASE");
    int logins = 0;
    long seconds = Long.parseLong(System.getenv().getOrDefault("RUN_SECONDS", "5"));
    Instant until = Instant.now().plusSeconds(seconds);
    while (Instant.now().isBefore(until)) {
      try (var connection = DriverManager.getConnection(url, settings);
          var statement = connection.createStatement()) {
        statement.execute("select current_user");
      }
      logins++;
      Thread.sleep(100);
    }
    background.shutdownNow();
    System.out.println("logins=" + logins);
  }
}
