import { PosternError } from '../../base/errors.ts'
import type { ManageMode } from '../../contract/engines.ts'
import type { DatabaseSummary, DescribedSchema } from '../catalog-shapes.ts'
import type { EngineSession, SessionPurpose } from '../engine.ts'
import type { OracleConnection } from './connection.ts'
import { quoteName } from './dictionary.ts'
import { translateOracleError } from './errors.ts'
import { describeOneSchema, describeSchemas } from './introspect.ts'
import { listOracleDatabases, readContainer, type OracleContainer } from './manage-mode.ts'
import { checkOraclePrivileges } from './privileges.ts'
import { runOracleStatements } from './run-statements.ts'

/** What a session is to be. */
export interface OracleSessionOptions {
  readonly purpose: SessionPurpose
  readonly manageMode: ManageMode
  /** A database as its mode lists it, to work in; empty: where the data source leads. */
  readonly database: string
  readonly isListenerProven: boolean
  /** Logs in to another service of the same listener. */
  readonly connectTo: (serviceName: string) => Promise<OracleConnection>
}

/** An engine session over a connection that has logged in; it takes the connection over. */
export async function openOracleSession(
  first: OracleConnection,
  options: OracleSessionOptions,
): Promise<EngineSession> {
  const { manageMode, database } = options
  let connection = first
  try {
    let container = await readContainer(connection)
    if (database !== '' && manageMode === 'schema') {
      const sql = `ALTER SESSION SET CURRENT_SCHEMA = ${quoteName(database)}`
      await connection.execute(sql, [], { autoCommit: false, timeoutMs: 10_000 })
    } else if (database !== '' && database !== container.name) {
      const { serviceName } = await findDatabase(connection, container, database)
      if (serviceName !== undefined) {
        connection = await options.connectTo(serviceName)
        await first.close()
        container = await readContainer(connection)
      }
    }
    return sessionOver(connection, container, options)
  } catch (thrown) {
    await connection.close()
    throw translateOracleError(thrown)
  }
}

function sessionOver(
  connection: OracleConnection,
  container: OracleContainer,
  options: OracleSessionOptions,
): EngineSession {
  const { purpose, manageMode } = options
  const translated = <T>(work: Promise<T>): Promise<T> =>
    work.catch((thrown: unknown) => Promise.reject(translateOracleError(thrown)))
  return {
    serverVersion: connection.serverVersion,
    ping: () => translated(connection.ping()),
    checkPrivileges: () => translated(checkOraclePrivileges(connection, container, options)),
    listDatabases: () => translated(listOracleDatabases(connection, container, manageMode)),
    describe: (database, { signal }) => describe(connection, container, database, options, signal),
    query: (statement, queryOptions) =>
      runOracleStatements(connection, statement, queryOptions, purpose === 'read_only'),
    close: () => connection.close(),
  }
}

async function* describe(
  connection: OracleConnection,
  container: OracleContainer,
  database: string,
  options: OracleSessionOptions,
  signal: AbortSignal,
): AsyncGenerator<DescribedSchema> {
  try {
    if (options.manageMode === 'schema') return yield* describeOneSchema(connection, database, signal)
    const { serviceName } = await findDatabase(connection, container, database)
    if (serviceName === undefined) return yield* describeSchemas(connection, signal)
    const there = await options.connectTo(serviceName)
    try {
      yield* describeSchemas(there, signal)
    } finally {
      await there.close()
    }
  } catch (thrown) {
    throw translateOracleError(thrown)
  }
}

async function findDatabase(
  connection: OracleConnection,
  container: OracleContainer,
  database: string,
): Promise<DatabaseSummary> {
  const found = (await listOracleDatabases(connection, container, 'database')).find(({ name }) => name === database)
  if (found !== undefined) return found
  throw new PosternError('DATABASE_NOT_FOUND', `there is no open database ${database} with a service of its own`)
}
