import { CliError } from '../../cli-error.ts'
import { readTextFile } from '../../read-secret.ts'

/**
 * The request that `--json` holds, or the file that it names as `@FILE`.
 * @param example what one looks like, for the hint
 * @throws CliError caller for anything but a JSON object
 */
export async function readJsonOption(option: string, example: string): Promise<Record<string, unknown>> {
  const json = option.startsWith('@') ? await readTextFile(option.slice(1), '--json, file') : option
  const hint = `Write it as '${example}'.`
  let request: unknown
  try {
    request = JSON.parse(json)
  } catch (cause) {
    throw new CliError('caller', '--json is not valid JSON', { hint, cause })
  }
  if (typeof request === 'object' && request !== null && !Array.isArray(request))
    return request as Record<string, unknown>
  throw new CliError('caller', '--json is not a JSON object', { hint })
}
