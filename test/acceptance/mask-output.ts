/** What differs from run to run, in the order in which it is looked for. Equal values get equal numbers. */
const changing: readonly (readonly [name: string, pattern: RegExp])[] = [
  ['JWT', /\beyJ[\w-]+\.[\w-]+\.[\w-]+/g],
  ['UUID', /\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b/g],
  ['SSH-KEY', /\bssh-ed25519 AAAA[\w+/]+=*/g],
  ['ID', /\b\d{15}\b/g],
  ['SECRET', /\bpostern_sps_[\w-]{43}/g],
  ['SECRET-HINT', /\bpostern_sps_[\w-]{4}(?![\w-])/g],
]

/** Replaced without a number: how many times are equal depends on the speed of the machine. */
const times: readonly (readonly [replacement: string, pattern: RegExp])[] = [
  ['[TIME]', /\b\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d+)?Z/g],
  ['[DATE]', /\b\d{4}-\d\d-\d\d\b/g],
  [' [N] ms', / +\d+ ms\b/g],
  ['([N] s)', /\(\d+\.\d s\)/g],
  // Only where the tests themselves run in a container.
  ['', /Postern runs in a container, where .*?host-gateway\. /g],
]

/**
 * The output with everything masked that differs from run to run.
 * @param known texts of this run and what stands for them
 */
export function maskOutput(output: string, known: Readonly<Record<string, string>>): string {
  let masked = output
  for (const [text, name] of Object.entries(known))
    masked = masked.replaceAll(new RegExp(`(?<![\\w-])${RegExp.escape(text)}(?![\\w-])`, 'g'), name)
  for (const [name, pattern] of changing) {
    const seen = new Map<string, number>()
    masked = masked.replace(pattern, (value) => {
      if (!seen.has(value)) seen.set(value, seen.size + 1)
      return `[${name}-${seen.get(value)}]`
    })
  }
  for (const [replacement, pattern] of times) masked = masked.replace(pattern, replacement)
  return masked
}
