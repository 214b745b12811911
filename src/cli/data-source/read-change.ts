import type { Cli } from '../cli.ts'
import { readSecret } from '../read-secret.ts'
import type { DataSourceOptions } from './data-source-options.ts'
import { readDataSource, type DataSourceBody } from './read-data-source.ts'

/** What the options change of a data source, with a new password asked for where that is wanted. */
export async function readChange(
  cli: Cli,
  what: string,
  options: DataSourceOptions & { readonly askPassword?: true },
): Promise<DataSourceBody> {
  const body = await readDataSource(cli.terminal, options)
  if (!options.askPassword) return body
  const password = await readSecret(cli.terminal, undefined, `New password of ${what}: `, '--password-file')
  return { ...body, password: password.reveal() }
}
