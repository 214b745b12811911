import { describe, expect, it } from 'vitest'
import { PosternError } from '../base/errors.ts'
import { PLAIN_ROUTE, type DataSourceRoute } from '../dialer/data-source-route.ts'
import type { HostSurroundings } from '../dialer/same-host-advice.ts'
import type { Actor } from '../identity/actor.ts'
import { describeEngine } from './describe-engines.ts'
import { failureAction } from './failure-action.ts'

const member = { workspaceRole: 'member', name: 'someone' } as Actor
const route: DataSourceRoute = {
  ...PLAIN_ROUTE,
  engine: 'postgres',
  host: 'localhost',
  port: 5432,
  database: 'postgres',
  username: 'postern',
  loginMethod: 'password',
  tlsMode: 'disable',
}
const egressAddresses = ['203.0.113.7']
const docker: HostSurroundings = { inContainer: true, platform: 'linux' }
const plain: HostSurroundings = { inContainer: false, platform: 'linux' }

describe('a database on the same host', () => {
  it('[D1-004] [D1-005] is host.docker.internal inside a container: the form says so, and a failed test does', async () => {
    const deps = { surroundings: docker, egressAddresses }
    const { sameHost } = await describeEngine(deps, member, 'postgres', {})
    expect(sameHost).toMatchObject({ host: 'host.docker.internal', note: expect.stringContaining('host-gateway') })
    const closed = new PosternError('UPSTREAM_PORT_CLOSED', 'nothing listens there')
    expect(failureAction(deps, route, closed)).toContain('host.docker.internal')
    expect(failureAction(deps, { ...route, host: 'db.test' }, closed)).not.toContain('host.docker.internal')
  })

  it('is 127.0.0.1 outside of one', async () => {
    const deps = { surroundings: plain, egressAddresses }
    expect((await describeEngine(deps, member, 'mysql', {})).sameHost).toMatchObject({ host: '127.0.0.1' })
    const unknown = new PosternError('UPSTREAM_NAME_UNKNOWN', 'the name does not resolve')
    expect(failureAction(deps, { ...route, host: 'host.docker.internal' }, unknown)).toContain('127.0.0.1')
  })
})

describe('a form', () => {
  it('[D1-028] has the statements with the names filled in and quoted, for the admin and for a read-only user', async () => {
    const deps = { surroundings: plain, egressAddresses }
    const names = { username: 'odd "user"', database: 'shop' }
    const { grantStatements, addressesToAllow } = await describeEngine(deps, member, 'postgres', names)
    expect(grantStatements.admin.join('\n')).toContain('"odd ""user"""')
    expect(grantStatements.readOnly.join('\n')).toContain('"odd ""user"""')
    expect(addressesToAllow).toEqual(egressAddresses)
  })

  it('says what packets that are dropped mean: the addresses to allow', () => {
    const dropped = new PosternError('UPSTREAM_TIMED_OUT', 'no answer')
    expect(failureAction({ surroundings: plain, egressAddresses }, route, dropped)).toContain('203.0.113.7')
  })
})
