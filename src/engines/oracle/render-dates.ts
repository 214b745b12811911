/**
 * Dates and times as the server sends them: century and year + 100, month, day, and hour, minute, second + 1; then, for
 * timestamps, nanoseconds; then the time zone. The driver would make a `Date` of them and lose digits and zone.
 *
 * @param isInDatabaseZone TIMESTAMP WITH LOCAL TIME ZONE, in the zone of the database
 * @returns `2026-11-23 08:15:00.123456789 +01:00`, with as much as there is
 */
export function renderOracleDate(bytes: Buffer, isInDatabaseZone: boolean): string {
  const [century = 100, yearOfCentury = 100, month = 1, day = 1, hour = 1, minute = 1, second = 1] = bytes
  const year = (century - 100) * 100 + yearOfCentury - 100
  const nanos = bytes.length >= 11 ? bytes.readUInt32BE(7) : undefined
  const clock = { year, month, day, hour: hour - 1, minute: minute - 1, second: second - 1 }
  if (bytes.length < 13 || isInDatabaseZone) return written(clock, nanos)
  const [zoneHigh = 0, zoneLow = 0] = bytes.subarray(11)
  // A named region: its number says nothing without the server's tables, so the time stays in UTC.
  if ((zoneHigh & 0x80) !== 0) return `${written(clock, nanos)} +00:00`
  const offset = (zoneHigh - 20) * 60 + (zoneLow - 60)
  return `${written(shifted(clock, offset), nanos)} ${zoneText(offset)}`
}

interface Clock {
  readonly year: number
  readonly month: number
  readonly day: number
  readonly hour: number
  readonly minute: number
  readonly second: number
}

/** The server sends UTC beside the zone. */
function shifted(clock: Clock, minutes: number): Clock {
  const date = new Date(0)
  date.setUTCFullYear(clock.year, clock.month - 1, clock.day)
  date.setUTCHours(clock.hour, clock.minute + minutes, clock.second)
  return {
    year: date.getUTCFullYear(),
    month: date.getUTCMonth() + 1,
    day: date.getUTCDate(),
    hour: date.getUTCHours(),
    minute: date.getUTCMinutes(),
    second: date.getUTCSeconds(),
  }
}

function written({ year, month, day, hour, minute, second }: Clock, nanos: number | undefined): string {
  const sign = year < 0 ? '-' : ''
  const date = `${sign}${digits(Math.abs(year), 4)}-${digits(month, 2)}-${digits(day, 2)}`
  const clock = [hour, minute, second].map((part) => digits(part, 2)).join(':')
  return `${date} ${clock}${nanos === undefined ? '' : `.${digits(nanos, 9)}`}`
}

function zoneText(minutes: number): string {
  const size = Math.abs(minutes)
  return `${minutes < 0 ? '-' : '+'}${digits(Math.floor(size / 60), 2)}:${digits(size % 60, 2)}`
}

function digits(value: number, count: number): string {
  return String(value).padStart(count, '0')
}
