"""What a program with psycopg does to a database, each step printed as `name=result`. libpq reads where to go from PG…."""

import threading
import time

import psycopg


def say(name, result):
    print(f"{name}={result}", flush=True)


with psycopg.connect(autocommit=True) as connection:
    say("libpq", psycopg.pq.version() // 10000)
    say("sni", connection.execute("select current_user").fetchone()[0])
    say("parameters", connection.execute("select %s::int + 1, %s", (41, None)).fetchone())

    for n in range(3):
        connection.execute("select %s::int * 2", (n,), prepare=True)
    prepared = connection.execute("select count(*) from pg_prepared_statements").fetchone()[0]
    say("prepared", prepared >= 1)

    try:
        connection.execute("select * from no_such_table")
    except psycopg.Error as error:
        say("error", error.sqlstate)
    notices = []
    connection.add_notice_handler(lambda notice: notices.append(notice.message_primary))
    connection.execute("do $$ begin for i in 1..1000 loop raise notice 'so be it %', i; end loop; end $$")
    say("notices", (len(notices), notices[-1]))

    threading.Timer(0.3, connection.cancel).start()
    try:
        connection.execute("select pg_sleep(20)")
    except psycopg.errors.QueryCanceled as error:
        say("cancel", error.sqlstate)

    with connection.pipeline():
        cursors = [connection.execute("select %s::int", (n,)) for n in range(500)]
        answers = [cursor.fetchone()[0] for cursor in cursors]
    say("pipeline", answers == list(range(500)))

    connection.execute("create temp table bulk (n int, t text)")
    with connection.cursor().copy("copy bulk from stdin") as copy:
        for n in range(20000):
            copy.write_row((n, "x" * 100))
    read = 0
    with connection.cursor().copy("copy bulk to stdout") as copy:
        for row in copy.rows():
            read += 1
    say("copy", read)

    threading.Timer(0.3, connection.cancel).start()
    try:
        with connection.cursor().copy("copy (select generate_series(1, 1000000000)) to stdout") as copy:
            for data in copy:
                pass
    except psycopg.errors.QueryCanceled as error:
        say("cancelCopy", error.sqlstate)

    value = "0123456789" * 1_000_000
    say("large", connection.execute("select %s::text", (value,)).fetchone()[0] == value)
    time.sleep(0.5)
    say("idle", connection.execute("select 'still here'").fetchone()[0])

    with psycopg.connect(autocommit=True) as other:
        connection.execute("listen news")
        other.execute("select pg_notify('news', 'payload')")
        say("notify", next(connection.notifies()).payload)

with psycopg.connect(sslmode="require", host="127.0.0.1", options="endpoint=sample") as connection:
    say("options", connection.execute("select current_database()").fetchone()[0])
