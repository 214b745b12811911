/** Words that a statement may begin with and that say what it is. Anything else is OTHER: it might be somebody's text. */
const KINDS = new Set(
  `SELECT WITH VALUES TABLE SHOW EXPLAIN DESCRIBE DESC INSERT UPDATE DELETE MERGE REPLACE UPSERT TRUNCATE COPY CREATE ALTER DROP
   RENAME COMMENT GRANT REVOKE SET RESET USE BEGIN START COMMIT ROLLBACK SAVEPOINT RELEASE CALL DO EXECUTE PREPARE DEALLOCATE
   ANALYZE VACUUM REINDEX CLUSTER REFRESH LOCK LISTEN NOTIFY OPTIMIZE KILL DISCARD CHECKPOINT LOAD REASSIGN`.split(
    /\s+/,
  ),
)

/** Blanks, comments of every dialect, and parentheses before the first word. */
const LEADING = /^(?:\s|\(|;|--[^\n]*(?:\n|$)|#[^\n]*(?:\n|$)|\/\*[\s\S]*?\*\/)+/

/** What a statement is, for the audit record: its first word, if it is a known one. Of several statements, the first. */
export function statementKind(statement: string): string {
  const word = /^[A-Za-z]+/.exec(statement.replace(LEADING, ''))?.[0].toUpperCase() ?? ''
  return KINDS.has(word) ? word : 'OTHER'
}
