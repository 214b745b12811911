/** Runs SQL of our own in a session and answers its rows, all values as text. @throws PosternError translated by number */
export type OwnQuery = <R extends Readonly<Record<string, string | null>>>(sql: string) => Promise<R[]>
