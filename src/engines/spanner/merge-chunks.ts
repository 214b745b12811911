import { isRecord } from '../read-body.ts'

/**
 * Joins a value that Spanner cut in two (PartialResultSet.chunkedValue in google/spanner/v1/result_set.proto): strings are
 * joined, lists too, and where the pieces at the cut can be joined themselves, they are.
 */
export function mergeChunks(left: unknown, right: unknown): unknown {
  if (typeof left === 'string' && typeof right === 'string') return left + right
  if (Array.isArray(left) && Array.isArray(right)) return mergeLists(left, right)
  if (isRecord(left) && isRecord(right)) {
    const merged: Record<string, unknown> = { ...left }
    for (const [key, value] of Object.entries(right)) {
      merged[key] = key in merged ? mergeChunks(merged[key], value) : value
    }
    return merged
  }
  return right
}

function mergeLists(left: readonly unknown[], right: readonly unknown[]): unknown[] {
  const last = left.at(-1)
  const first = right[0]
  const joins =
    (typeof last === 'string' && typeof first === 'string') ||
    (Array.isArray(last) && Array.isArray(first)) ||
    (isRecord(last) && isRecord(first))
  return joins ? [...left.slice(0, -1), mergeChunks(last, first), ...right.slice(1)] : [...left, ...right]
}
