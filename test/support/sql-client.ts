import type { ControlPlane } from './control-plane.ts'

/** One line of the answer to a statement. */
export interface SqlLine {
  readonly type: string
  readonly [field: string]: unknown
}

/** The whole answer to a statement, as a client that reads all of it sees it. */
export interface SqlAnswer {
  readonly status: number
  /** A problem, where no statement ran. */
  readonly problem: Readonly<Record<string, unknown>>
  readonly lines: readonly SqlLine[]
  readonly rows: readonly (readonly (string | null)[])[]
  readonly start: SqlLine | undefined
  readonly error: SqlLine | undefined
  readonly end: SqlLine | undefined
}

/** Runs SQL by the API and reads the answer to its end. */
export async function runSql(
  plane: ControlPlane,
  instance: string,
  statement: string,
  options: Readonly<Record<string, unknown>> = {},
): Promise<SqlAnswer> {
  const response = await openSql(plane, instance, { statement, ...options })
  const text = await response.text()
  if (response.status !== 200) {
    return { ...answerOf([]), status: response.status, problem: JSON.parse(text) as Record<string, unknown> }
  }
  const lines = text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as SqlLine)
  return { ...answerOf(lines), status: 200, problem: {} }
}

/** Begins to run SQL; the caller reads as much of the answer as it likes. */
export function openSql(plane: ControlPlane, instance: string, body: object, signal?: AbortSignal): Promise<Response> {
  return fetch(`${plane.httpUrl}/v1/instances/${instance}/sql:execute`, {
    method: 'POST',
    headers: { authorization: `Bearer ${plane.accessToken}`, 'content-type': 'application/json' },
    body: JSON.stringify(body),
    signal: signal ?? AbortSignal.timeout(60_000),
  })
}

function answerOf(lines: readonly SqlLine[]): Pick<SqlAnswer, 'lines' | 'rows' | 'start' | 'error' | 'end'> {
  const find = (type: string): SqlLine | undefined => lines.find((line) => line.type === type)
  return {
    lines,
    rows: lines.flatMap((line) => (line.type === 'rows' ? (line['rows'] as (string | null)[][]) : [])),
    start: find('start'),
    error: find('error'),
    end: lines.at(-1)?.type === 'end' ? lines.at(-1) : undefined,
  }
}
