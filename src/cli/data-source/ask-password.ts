import { ENGINE_CAPABILITIES, type EngineName } from '../../contract/engines.ts'
import type { Cli } from '../cli.ts'
import { readSecret } from '../read-secret.ts'
import type { DataSourceOptions } from './data-source-options.ts'
import type { DataSourceBody } from './read-data-source.ts'

/** For a new data source: the password is asked for where the way to log in takes one and none was given. */
export async function withAskedPassword(
  cli: Cli,
  { password, ...body }: DataSourceBody,
  options: DataSourceOptions & { readonly engine?: EngineName },
): Promise<DataSourceBody> {
  const [first] = ENGINE_CAPABILITIES[options.engine ?? 'postgres'].loginMethods
  // Null is --no-password, which a new data source says by leaving it out.
  if (password === null || (options.loginMethod ?? first) !== 'password') return password ? { ...body, password } : body
  if (body.externalSecrets?.password) return password ? { ...body, password } : body
  if (password !== undefined) return { ...body, password }
  const question = `Password of ${options.username ?? 'the user'} at ${body.host ?? 'the database'}: `
  return { ...body, password: (await readSecret(cli.terminal, undefined, question, '--password-file')).reveal() }
}
