import { setTimeout as sleep } from 'node:timers/promises'
import { cpuMs } from './process-accounting.ts'
import { type Spread, spreadOf } from './spread.ts'
import type { Way } from './way.ts'

/** What one load did through one way. */
export interface Load {
  /** Queries, transactions, MB, logins. */
  readonly units: number
  readonly seconds: number
}

/** Processes at the ends of every way: CPU that they have used so far, in milliseconds. */
export type Ends = Readonly<Record<'client' | 'server', () => number>>

export interface WayFigures {
  readonly unitsPerSecond: Spread
  /** Of client and upstream, where it was asked for. */
  readonly endsCpuMsPerUnit?: Readonly<Record<keyof Ends, Spread>>
  /** Of the processes between client and upstream; absent for the direct way. */
  readonly cpuMsPerUnit?: Spread
  /** The gateway's CPU per unit over this way's, round by round: below 1 the gateway is cheaper. */
  readonly gatewayCpu?: Spread
  /** The gateway's rate over this way's, round by round: above 1 the gateway is faster. */
  readonly gatewayRate?: Spread
}

export interface InterleavedFigures {
  readonly unit: string
  readonly ways: Readonly<Record<string, WayFigures>>
}

interface Measured {
  readonly rate: number
  readonly cpuMsPerUnit: number | undefined
  readonly ends: Readonly<Record<keyof Ends, number>> | undefined
}

/**
 * Runs the load through every way in turn, round after round: what else the machine does then falls on all of them alike.
 * Ratios are taken within a round.
 */
export async function interleave(
  unit: string,
  rounds: number,
  ways: readonly Way[],
  load: (way: Way) => Promise<Load>,
  ends?: Ends,
): Promise<InterleavedFigures> {
  const measured = new Map<string, Measured[]>(ways.map((way) => [way.name, []]))
  // One round more than is counted: a fresh gateway still compiles.
  for (let round = 0; round <= rounds; round++) {
    for (const way of ways) {
      const result = await measure(way, load, ends)
      if (round > 0) measured.get(way.name)?.push(result)
    }
  }
  const gateway = measured.get('gateway') ?? []
  const figures = (own: readonly Measured[], isGateway: boolean): WayFigures => {
    const cpu = own.flatMap(({ cpuMsPerUnit }) => cpuMsPerUnit ?? [])
    const against = (ratio: (own: Measured, gateway: Measured) => number) =>
      spreadOf(own.map((each, round) => ratio(each, gateway[round] ?? each)))
    return {
      unitsPerSecond: spreadOf(own.map(({ rate }) => rate)),
      ...(cpu.length > 0 && { cpuMsPerUnit: spreadOf(cpu) }),
      ...(ends && { endsCpuMsPerUnit: { client: endOf(own, 'client'), server: endOf(own, 'server') } }),
      ...(!isGateway && { gatewayRate: against((each, base) => base.rate / each.rate) }),
      ...(!isGateway &&
        cpu.length > 0 && {
          gatewayCpu: against((each, base) => (base.cpuMsPerUnit ?? Number.NaN) / (each.cpuMsPerUnit ?? Number.NaN)),
        }),
    }
  }
  return {
    unit,
    ways: Object.fromEntries([...measured].map(([name, own]) => [name, figures(own, name === 'gateway')])),
  }
}

function endOf(own: readonly Measured[], end: keyof Ends): Spread {
  return spreadOf(own.flatMap(({ ends }) => ends?.[end] ?? []))
}

async function measure(way: Way, load: (way: Way) => Promise<Load>, ends: Ends | undefined): Promise<Measured> {
  const before = { middle: cpuMs(way.pids()), client: ends?.client(), server: ends?.server() }
  const { units, seconds } = await load(way)
  // What a session's end costs belongs to it: audit records, closing.
  await sleep(200)
  return {
    rate: units / seconds,
    cpuMsPerUnit: way.pids().length === 0 ? undefined : (cpuMs(way.pids()) - before.middle) / units,
    ends: ends && {
      client: (ends.client() - (before.client ?? 0)) / units,
      server: (ends.server() - (before.server ?? 0)) / units,
    },
  }
}
