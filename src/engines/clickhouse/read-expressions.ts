/** The expressions of a key, `a, f(b, c)`: split at the commas that are in no parentheses. */
export function readExpressions(key: string): readonly string[] {
  const parts: string[] = []
  let depth = 0
  let start = 0
  for (let at = 0; at < key.length; at += 1) {
    const char = key[at]
    if (char === '(') depth += 1
    else if (char === ')') depth -= 1
    else if (char === ',' && depth === 0) {
      parts.push(key.slice(start, at))
      start = at + 1
    }
  }
  parts.push(key.slice(start))
  return parts.map((part) => part.trim()).filter((part) => part !== '')
}
