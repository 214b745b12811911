const UNITS = ['B', 'KB', 'MB', 'GB', 'TB', 'PB']

/** A number of bytes as people read it, in steps of 1024: `4.2 MB`. */
export function sizeText(bytes: number | null): string | null {
  if (bytes === null) return null
  const step = Math.min(UNITS.length - 1, Math.max(0, Math.floor(Math.log2(Math.max(1, bytes)) / 10)))
  const value = bytes / 1024 ** step
  return `${step === 0 || value >= 100 ? Math.round(value) : value.toFixed(1)} ${UNITS[step]}`
}
