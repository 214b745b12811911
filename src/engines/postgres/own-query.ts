import type pg from 'pg'

/** Runs SQL of our own in a session and answers its rows. @throws PosternError translated by SQLSTATE */
export type OwnQuery = <R extends pg.QueryResultRow>(sql: string, values?: unknown[]) => Promise<R[]>
