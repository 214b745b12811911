import java.io.StringReader;
import java.io.StringWriter;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.util.Properties;
import org.postgresql.PGConnection;

/**
 * What a program with JDBC does to a database, each step printed as `name=result`. Where to go stands in the environment:
 * HOST, PORT, DATABASE, LOGIN, PASSWORD, CA_FILE.
 */
public class JdbcClient {
  static String env(String name) {
    return System.getenv(name);
  }

  static Connection connect(String database, String... more) throws SQLException {
    Properties settings = new Properties();
    settings.setProperty("user", env("LOGIN"));
    settings.setProperty("password", env("PASSWORD"));
    settings.setProperty("sslmode", "verify-full");
    settings.setProperty("sslrootcert", env("CA_FILE"));
    for (int i = 0; i < more.length; i += 2) settings.setProperty(more[i], more[i + 1]);
    String url = "jdbc:postgresql://" + env("HOST") + ":" + env("PORT") + "/" + database;
    return DriverManager.getConnection(url, settings);
  }

  static void say(String name, Object result) {
    System.out.println(name + "=" + result);
  }

  static String one(Connection connection, String sql) throws SQLException {
    try (Statement statement = connection.createStatement();
        ResultSet rows = statement.executeQuery(sql)) {
      rows.next();
      return rows.getString(1);
    }
  }

  public static void main(String[] arguments) throws Exception {
    try (Connection connection = connect(env("DATABASE"))) {
      say("sni", one(connection, "select current_user"));
      parameters(connection);
      errors(connection);
      cancel(connection);
      batch(connection);
      copy(connection);
      large(connection);
    }
    try (Connection connection = connect("sample%2F" + env("DATABASE"))) {
      say("database", one(connection, "select current_database()"));
    }
    try (Connection connection = connect(env("DATABASE"), "options", "endpoint=sample -c statement_timeout=7s")) {
      say("options", one(connection, "show statement_timeout"));
    }
    try (Connection connection = connect(env("DATABASE"), "password", "wrong")) {
      say("refused", "not refused");
    } catch (SQLException refused) {
      say("refused", refused.getSQLState());
    }
  }

  static void parameters(Connection connection) throws SQLException {
    // From the fifth use on the driver prepares the statement on the server.
    int sum = 0;
    try (PreparedStatement statement = connection.prepareStatement("select ?::int * 2, ?::text")) {
      for (int i = 0; i < 10; i++) {
        statement.setInt(1, i);
        statement.setString(2, null);
        ResultSet rows = statement.executeQuery();
        rows.next();
        sum += rows.getInt(1);
      }
    }
    say("parameters", sum);
    say("prepared", Integer.parseInt(one(connection, "select count(*) from pg_prepared_statements where statement like '%* 2%'")));
  }

  static void errors(Connection connection) throws SQLException {
    try (Statement statement = connection.createStatement()) {
      try {
        statement.execute("select * from no_such_table");
      } catch (SQLException error) {
        say("error", error.getSQLState());
      }
      statement.execute("do $$ begin raise notice 'so be it'; end $$");
      say("notice", statement.getWarnings().getMessage());
    }
  }

  static void cancel(Connection connection) throws Exception {
    try (Statement statement = connection.createStatement()) {
      Thread canceller =
          new Thread(
              () -> {
                try {
                  Thread.sleep(300);
                  statement.cancel();
                } catch (Exception ignored) {
                  // The statement then runs to its end, and the line below says so.
                }
              });
      canceller.start();
      try {
        statement.execute("select pg_sleep(20)");
        say("cancel", "ran to its end");
      } catch (SQLException cancelled) {
        say("cancel", cancelled.getSQLState());
      }
      canceller.join();
    }
  }

  /** The driver sends a batch as one pipeline. */
  static void batch(Connection connection) throws SQLException {
    try (Statement statement = connection.createStatement()) {
      statement.execute("create temp table batch (n int)");
    }
    try (PreparedStatement statement = connection.prepareStatement("insert into batch values (?)")) {
      for (int i = 0; i < 5000; i++) {
        statement.setInt(1, i);
        statement.addBatch();
      }
      statement.executeBatch();
    }
    say("batch", one(connection, "select count(*) from batch"));
  }

  static void copy(Connection connection) throws Exception {
    var copies = connection.unwrap(PGConnection.class).getCopyAPI();
    StringBuilder lines = new StringBuilder();
    for (int i = 0; i < 20000; i++) lines.append(i).append('\n');
    say("copyIn", copies.copyIn("copy batch from stdin", new StringReader(lines.toString())));
    StringWriter out = new StringWriter();
    copies.copyOut("copy (select n from batch order by ctid offset 5000) to stdout", out);
    say("copyOut", out.toString().contentEquals(lines));
  }

  static void large(Connection connection) throws SQLException {
    String value = "0123456789".repeat(1_000_000);
    try (PreparedStatement statement = connection.prepareStatement("select ?::text")) {
      statement.setString(1, value);
      ResultSet rows = statement.executeQuery();
      rows.next();
      say("large", rows.getString(1).equals(value));
    }
  }
}
