import { describe, expect, it } from 'vitest'
import { requireReadOnly } from './read-only.ts'

describe('a read-only session of Snowflake', () => {
  it.each([
    'SELECT 1;',
    '-- why\n(SELECT 1) UNION ALL (SELECT 2)',
    "WITH a AS (SELECT ';DROP TABLE t' AS x) SELECT * FROM a",
    'show tables in schema s',
    'DESC TABLE t',
    'EXPLAIN USING TEXT SELECT 1',
    'SHOW TABLES ->> SELECT "name" FROM $1',
    'SELECT SYSTEM$TYPEOF(1)',
    `SELECT "delete", '$$', $$ INSERT; $$ FROM t // CALL p()`,
  ])('runs %j', (sql) => {
    expect(requireReadOnly(sql).text).not.toBe('')
  })

  it.each([
    'INSERT INTO t VALUES (1)',
    'CREATE TABLE t AS SELECT 1',
    'COPY INTO @stage FROM t',
    'CALL p()',
    'BEGIN DELETE FROM t; END',
    "EXECUTE IMMEDIATE 'DROP TABLE t'",
    'USE ROLE ACCOUNTADMIN',
    'SET a = 1',
    'SELECT 1; DROP TABLE t',
    "WITH p AS PROCEDURE () RETURNS STRING LANGUAGE SQL AS 'BEGIN DROP TABLE t; END' CALL p()",
    'SELECT 1 ->> DROP TABLE t',
    'SELECT 1 ->> SELECT 2 ->> (DELETE FROM t)',
    'SELECT SYSTEM$CANCEL_ALL_QUERIES(1)',
    `SELECT "SYSTEM$CANCEL_ALL_QUERIES"(1)`,
    "SELECT IDENTIFIER('SYSTEM$ABORT_SESSION')(1)",
    'SELECT s.NEXTVAL',
    "SELECT 'open",
    'SELECT 1 /* open',
    '/* SELECT */ TRUNCATE t',
    '$$SELECT$$',
  ])('does not run %j', (sql) => {
    expect(() => requireReadOnly(sql)).toThrowError(
      expect.objectContaining({ code: 'STATEMENT_NOT_READ_ONLY' }) as Error,
    )
  })
})
