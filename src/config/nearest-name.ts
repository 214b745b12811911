/** The name that was probably meant: at most a third of the letters differ. */
export function nearestName(written: string, names: readonly string[]): string | undefined {
  let nearest: { name: string; distance: number } | undefined
  for (const name of names) {
    const distance = editDistance(written.toLowerCase(), name.toLowerCase())
    if (nearest === undefined || distance < nearest.distance) nearest = { name, distance }
  }
  return nearest !== undefined && nearest.distance <= Math.floor(written.length / 3) ? nearest.name : undefined
}

/** Levenshtein distance, one row at a time. */
export function editDistance(from: string, to: string): number {
  let previous = Array.from({ length: to.length + 1 }, (_, index) => index)
  for (let row = 1; row <= from.length; row++) {
    const current = [row]
    for (let column = 1; column <= to.length; column++) {
      const substitution = previous[column - 1]! + (from[row - 1] === to[column - 1] ? 0 : 1)
      current.push(Math.min(previous[column]! + 1, current[column - 1]! + 1, substitution))
    }
    previous = current
  }
  return previous[to.length]!
}
