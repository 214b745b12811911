import { InvalidArgumentError, Option } from 'commander'
import { CliError } from './cli-error.ts'

/** `--limit`, on every list. */
export function limitOption(defaultLimit?: number): Option {
  const option = new Option('--limit <count>', 'show at most this many').argParser(wholeNumber(1))
  return defaultLimit === undefined ? option : option.default(defaultLimit)
}

/** Reads a whole number of an option. */
export function wholeNumber(least: number, most = Number.MAX_SAFE_INTEGER): (text: string) => number {
  return (text) => {
    const value = Number(text)
    if (/^\d+$/.test(text) && value >= least && value <= most) return value
    throw new InvalidArgumentError(
      `It must be a whole number from ${least}${most === Number.MAX_SAFE_INTEGER ? '' : ` to ${most}`}.`,
    )
  }
}

const unitSeconds: Readonly<Record<string, number>> = { s: 1, m: 60, h: 3600, d: 86_400 }

/** Reads a duration such as `90s`, `30m`, `12h` or `7d` as seconds. */
export function durationSeconds(text: string): number {
  const match = /^(\d{1,9})([smhd])$/.exec(text)
  const unit = unitSeconds[match?.[2] ?? '']
  if (match === null || unit === undefined)
    throw new InvalidArgumentError('It must be a number and s, m, h or d, for example 12h.')
  return Number(match[1]) * unit
}

/** Reads a point in time, given as RFC 3339 or as how long ago (`2h`); relative to `now`. */
export function pointInTime(option: string, text: string, now: Date): string {
  if (/^\d{1,9}[smhd]$/.test(text)) return new Date(now.getTime() - durationSeconds(text) * 1000).toISOString()
  const at = new Date(text)
  if (/^\d{4}-\d\d-\d\d([T ]|$)/.test(text) && !Number.isNaN(at.getTime())) return at.toISOString()
  throw new CliError('caller', `${option} ${text} is not a time`, {
    hint: 'Write it as 2026-11-23T04:35:00Z, or as how long ago, such as 2h.',
  })
}
