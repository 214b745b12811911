import { createHash, randomBytes } from 'node:crypto'
import { chmod, mkdir, readFile, stat, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { Secret } from '../../base/secret.ts'
import { CliError } from '../cli-error.ts'
import { configFolder } from '../config-folder.ts'
import type { Environment } from '../environment.ts'

/**
 * The password that local tools give to `postern connect`: made at the first use of an instance and kept in a file of mode
 * 0600, so that a tool which has stored it goes on working. It opens nothing but the loopback port, while that is open.
 * @throws CliError denied when others can read the file
 */
export async function keptLocalPassword(environment: Environment, origin: string, instance: string): Promise<Secret> {
  const name = createHash('sha256').update(`${origin}\n${instance}`).digest('hex').slice(0, 32)
  const file = join(configFolder(environment), 'connect', name)
  try {
    await mkdir(dirname(file), { recursive: true, mode: 0o700 })
    await chmod(dirname(file), 0o700)
    // The first of two that start at once makes it, and both read what is there then.
    await writeFile(file, `${randomBytes(18).toString('base64url')}\n`, { flag: 'wx', mode: 0o600 }).catch(existing)
    const text = (await readFile(file, 'utf8')).trim()
    if (((await stat(file)).mode & 0o077) !== 0 || text === '') {
      throw new CliError('denied', `${file} can be read by others, or is empty`, {
        hint: `Run \`rm ${file}\`: another password is made then.`,
      })
    }
    return new Secret(text)
  } catch (cause) {
    if (cause instanceof CliError) throw cause
    throw new CliError('dependency', `the local password cannot be kept in ${file} (${codeOf(cause)})`, {
      hint: 'Check the folder, or give one with --password-file.',
      cause,
    })
  }
}

function existing(thrown: NodeJS.ErrnoException): void {
  if (thrown.code !== 'EEXIST') throw thrown
}

function codeOf(thrown: unknown): string {
  return (thrown as NodeJS.ErrnoException).code ?? 'unknown error'
}
