type Value = string | boolean | null

/** What of a change was given: the fields that are not undefined. */
export function givenFields(change: Readonly<Record<string, Value | undefined>>): Readonly<Record<string, Value>> {
  const given: Record<string, Value> = {}
  for (const [field, value] of Object.entries(change)) if (value !== undefined) given[field] = value
  return given
}
