import type { InterleavedFigures, WayFigures } from './interleaved.ts'
import type { CredentialFigures } from './rows/credential-rows.ts'
import type { IdleFigures } from './rows/session-rows.ts'
import type { SecretFigures } from './rows/secret-row.ts'
import type { StartFigures } from './rows/start-row.ts'
import type { RowName } from './rows/all-rows.ts'
import type { Spread } from './spread.ts'

/** What the rows gave; a row that did not run is absent. */
export type Figures = Partial<
  Record<Exclude<RowName, 'idle' | 'verify' | 'mint' | 'secrets' | 'start'>, InterleavedFigures> & {
    idle: IdleFigures
    verify: CredentialFigures
    mint: CredentialFigures
    secrets: SecretFigures
    start: StartFigures
  }
>

interface Budget {
  readonly work: string
  readonly figure: Spread | undefined
  readonly unit: string
  readonly release: number
  readonly aim: number
  /** Default: less is better. */
  readonly moreIsBetter?: boolean
}

/** Every way of every row: rate, CPU for a unit, and the gateway against it. */
export function figureTable(figures: Figures): string {
  const lines = [['row', 'way', 'units/s', 'CPU/unit', 'gateway rate ÷', 'gateway CPU ÷', 'client, server CPU/unit']]
  for (const [row, result] of Object.entries(figures)) {
    if (!('ways' in result)) continue
    for (const [way, own] of Object.entries(result.ways)) lines.push([row, way, ...wayCells(own)])
  }
  return aligned(lines)
}

function wayCells(own: WayFigures): string[] {
  return [
    spread(own.unitsPerSecond),
    own.cpuMsPerUnit === undefined ? '' : spread(scaled(own.cpuMsPerUnit, 1000), 'µs'),
    own.gatewayRate === undefined ? '' : spread(own.gatewayRate),
    own.gatewayCpu === undefined ? '' : spread(own.gatewayCpu),
    own.endsCpuMsPerUnit === undefined ? '' : ends(own.endsCpuMsPerUnit),
  ]
}

function ends({ client, server }: Readonly<Record<'client' | 'server', Spread>>): string {
  return `${short(client.median * 1000)}, ${short(server.median * 1000)} µs`
}

/** The budgets, what was measured (median, and the spread of the rounds), and whether it holds. */
export function budgetTable(figures: Figures): string {
  const lines = [['budget', 'measured', 'release', 'aim', '']]
  for (const { work, figure, unit, release, aim, moreIsBetter } of budgets(figures)) {
    if (figure === undefined) continue
    const holds = (limit: number) => (moreIsBetter ? figure.median >= limit : figure.median <= limit)
    const verdict = holds(aim) ? 'aim reached' : holds(release) ? 'within budget' : 'MISSED'
    const sign = moreIsBetter ? '≥' : '≤'
    lines.push([work, spread(figure, unit), `${sign} ${release} ${unit}`, `${sign} ${aim} ${unit}`, verdict])
  }
  return aligned(lines)
}

function budgets(figures: Figures): Budget[] {
  const against = (row: 'select-1' | 'select-8' | 'select-32' | 'tpcb-8') => figures[row]?.ways['pgbouncer']?.gatewayCpu
  const idle = (name: string) => {
    const bytes = figures.idle?.bytesPerSession[name]
    return bytes && scaled(bytes, 1 / 1024)
  }
  const mintCpu = figures.mint?.cpuMs
  return [
    { work: 'CPU per query, 1 client ÷ PgBouncer', figure: against('select-1'), unit: '×', release: 1.4, aim: 1 },
    { work: 'CPU per query, 8 clients ÷ PgBouncer', figure: against('select-8'), unit: '×', release: 1.15, aim: 1 },
    { work: 'CPU per query, 32 clients ÷ PgBouncer', figure: against('select-32'), unit: '×', release: 1.4, aim: 1 },
    { work: 'CPU per TPC-B transaction ÷ PgBouncer', figure: against('tpcb-8'), unit: '×', release: 1, aim: 0.85 },
    ...copyBudgets(figures, 'copy-out', '1 KB rows'),
    ...copyBudgets(figures, 'copy-out-narrow', '100 byte rows'),
    {
      work: 'CPU per login',
      figure: figures.logins?.ways['gateway']?.cpuMsPerUnit,
      unit: 'ms',
      release: 2.2,
      aim: 1.2,
    },
    { work: 'idle session, plain upstream', figure: idle('gateway, plain upstream'), unit: 'KiB', release: 14, aim: 8 },
    { work: 'idle session, TLS upstream', figure: idle('gateway, tls upstream'), unit: 'KiB', release: 40, aim: 25 },
    { work: 'credential verify, CPU', figure: figures.verify?.cpuMs, unit: 'ms', release: 0.2, aim: 0.1 },
    {
      work: 'credential mint, per second and core',
      figure: mintCpu && { min: 1000 / mintCpu.max, median: 1000 / mintCpu.median, max: 1000 / mintCpu.min },
      unit: '/s',
      release: 2000,
      aim: 4000,
      moreIsBetter: true,
    },
    {
      work: 'secret fetches for a TTL and data source',
      figure: figures.secrets?.fetchesPerTtl,
      unit: '',
      release: 1,
      aim: 1,
    },
    { work: 'serve to ready', figure: seconds(figures.start?.laterStartMs), unit: 's', release: 3, aim: 1 },
    { work: 'first serve to ready', figure: seconds(figures.start?.firstStartMs), unit: 's', release: 10, aim: 5 },
  ]
}

function copyBudgets(figures: Figures, row: 'copy-out' | 'copy-out-narrow', rowsOf: string): Budget[] {
  const against = (way: string) => figures[row]?.ways[way]?.gatewayRate
  const common = { unit: '×', moreIsBetter: true }
  return [
    { ...common, work: `COPY out, ${rowsOf}, MB/s ÷ PgBouncer`, figure: against('pgbouncer'), release: 2, aim: 2.5 },
    { ...common, work: `COPY out, ${rowsOf}, MB/s ÷ direct TLS`, figure: against('direct'), release: 1.1, aim: 1.2 },
  ]
}

function seconds(milliseconds: Spread | undefined): Spread | undefined {
  return milliseconds && scaled(milliseconds, 1 / 1000)
}

function scaled({ min, median, max }: Spread, factor: number): Spread {
  return { min: min * factor, median: median * factor, max: max * factor }
}

function spread({ min, median, max }: Spread, unit = ''): string {
  return `${short(median)} ${unit}`.trimEnd() + ` (${short(min)}–${short(max)})`
}

function short(value: number): string {
  return value >= 100 ? Math.round(value).toString() : value.toPrecision(3)
}

function aligned(lines: readonly (readonly string[])[]): string {
  const widths = lines[0]?.map((_, column) => Math.max(...lines.map((line) => line[column]?.length ?? 0))) ?? []
  return lines
    .map((line) =>
      line
        .map((cell, column) => cell.padEnd(widths[column] ?? 0))
        .join('  ')
        .trimEnd(),
    )
    .join('\n')
}
