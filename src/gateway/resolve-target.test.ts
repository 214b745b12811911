import { expect, test } from 'vitest'
import type { WorkspaceId } from '../base/ids.ts'
import type { StartupMessage } from '../pgwire/startup-packet.ts'
import type { TlsStartup } from './negotiate.ts'
import { resolveTarget } from './resolve-target.ts'

const workspaceId = '100000000000001' as WorkspaceId

function resolve(
  serverName: string | undefined,
  change: { database?: string; options?: string } = {},
  gatewayDomain = 'postern.example.test',
) {
  const database = change.database ?? 'shop'
  const parameters = new Map([
    ['user', 'ana'],
    ['database', database],
    ...(change.options === undefined ? [] : ([['options', change.options]] as const)),
    ['client_encoding', 'UTF8'],
  ] as [string, string][])
  const startup: StartupMessage = {
    kind: 'startup',
    major: 3,
    minor: 0,
    user: 'ana',
    database,
    parameters,
    protocolOptions: [],
  }
  const client = { kind: 'startup', channel: undefined as never, startup, serverName } satisfies TlsStartup
  return resolveTarget(client, (domain) => (domain === gatewayDomain ? workspaceId : undefined))
}

test('the host name, the option and the database each name the instance', () => {
  expect(resolve('sample.postern.example.test')).toMatchObject({
    instanceName: 'sample',
    workspaceId,
    database: 'shop',
  })
  expect(resolve(undefined, { options: 'endpoint=sample' })).toMatchObject({
    instanceName: 'sample',
    workspaceId: undefined,
  })
  expect(resolve(undefined, { database: 'sample/shop' })).toMatchObject({ instanceName: 'sample', database: 'shop' })
})

test('all three may name it, as long as they agree', () => {
  const options = '-c search_path=x endpoint=sample'
  expect(resolve('sample.postern.example.test', { database: 'sample/shop', options })).toMatchObject({
    instanceName: 'sample',
    database: 'shop',
    settings: [
      ['options', '-c search_path=x'],
      ['client_encoding', 'UTF8'],
    ],
  })
  for (const change of [{ options: 'endpoint=other' }, { database: 'other/shop' }]) {
    expect(() => resolve('sample.postern.example.test', change)).toThrow('two different instances')
  }
})

test('a host name that is not under the gateway domain names nothing', () => {
  for (const name of [
    'localhost',
    'postern.example.test',
    'a.b.postern.example.test',
    'sample.example.test',
    '.postern.example.test',
  ]) {
    expect(resolve(name).instanceName).toBeUndefined()
  }
  // A gateway domain of one label is no ending of itself.
  expect(resolve('postern', {}, 'postern')).toMatchObject({ instanceName: undefined, workspaceId: undefined })
})

test('a database whose name merely holds a slash stays whole', () => {
  expect(resolve(undefined, { database: '2024/q1' })).toMatchObject({ instanceName: undefined, database: '2024/q1' })
})
