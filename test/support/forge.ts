import { randomUUID } from 'node:crypto'
import { readFileSync, realpathSync } from 'node:fs'
import { join } from 'node:path'
import { systemClock } from '../../src/base/clock.ts'
import { newNumericId, type PrincipalId, type WorkspaceId } from '../../src/base/ids.ts'
import { Secret } from '../../src/base/secret.ts'
import { type JwtClaims, SigningKeyPair, signJwt } from '../../src/crypto/jwt.ts'
import { MasterKey } from '../../src/crypto/master-key.ts'
import { ensureSigningKeys } from '../../src/keys/ensure-signing-keys.ts'
import { SigningKeys } from '../../src/keys/signing-keys.ts'
import { claimSocketRoot } from '../../src/postgres-server/socket-folder.ts'
import { openStore, type Store } from '../../src/store/store.ts'
import type { RunningPostern } from './running-postern.ts'

const credentialType = 'postern-db+jwt'

/**
 * What only somebody with the data folder and the master key can do: sign credentials that Postern itself would not, and
 * change rows that have no API yet. Tests use it to put a running Postern into states that would take an hour, or an attacker.
 */
export class Forge {
  readonly store: Store
  readonly #masterKey: MasterKey
  readonly #keys: SigningKeys

  constructor(store: Store, masterKey: MasterKey, keys: SigningKeys) {
    this.store = store
    this.#masterKey = masterKey
    this.#keys = keys
  }

  /** A credential with these claims over those of `base`, signed with the workspace's own current key. */
  credential(claims: Partial<JwtClaims>, base: JwtClaims): string {
    const key = this.#keys.current(workspaceOf(base), 'database_credential')
    return signJwt(key, credentialType, { ...base, ...claims, jti: randomUUID() })
  }

  /** A credential that is right in everything but the key. */
  withForeignKey(claims: JwtClaims): string {
    return signJwt(SigningKeyPair.generate(), credentialType, claims)
  }

  /** Makes a second workspace, and a credential of it that names the same principal and instance. */
  async credentialOfOtherWorkspace(base: JwtClaims): Promise<string> {
    const id = newNumericId<WorkspaceId>()
    await this.store.db.transaction().execute(async (tx) => {
      await tx
        .insertInto('workspace')
        .values({ id, name: `other-${id}`, gateway_domain: `other-${id}.test` })
        .execute()
      await ensureSigningKeys(tx, this.#masterKey, systemClock, id)
    })
    await this.#keys.refresh()
    // The gateway hears of the new keys by a notification of its own.
    await new Promise((resolve) => setTimeout(resolve, 500))
    const key = this.#keys.current(id, 'database_credential')
    return signJwt(key, credentialType, { ...base, iss: `urn:postern:workspace:${id}` })
  }

  /** Makes a group in the first workspace with one member: a service principal by client id, or another group by name. */
  async group(name: string, { containing }: { containing: string }): Promise<string> {
    const id = newNumericId<PrincipalId>()
    const { pool } = this.store
    await pool.query(`insert into principal (id, kind, display_name) values ($1, 'group', $2)`, [id, name])
    await pool.query('insert into principal_group (principal_id) values ($1)', [id])
    await pool.query(
      `insert into workspace_assignment (workspace_id, principal_id, role)
       select workspace_id, $1, 'member' from workspace_assignment order by workspace_id limit 1`,
      [id],
    )
    await pool.query('insert into group_member (group_id, member_id) values ($1, $2)', [
      id,
      await this.#find(containing),
    ])
    return name
  }

  async addMember(group: string, member: string): Promise<void> {
    await this.store.pool.query('insert into group_member (group_id, member_id) values ($1, $2)', [
      await this.#find(group),
      await this.#find(member),
    ])
  }

  async removeMember(group: string, member: string): Promise<void> {
    await this.store.pool.query('delete from group_member where group_id = $1 and member_id = $2', [
      await this.#find(group),
      await this.#find(member),
    ])
  }

  close(): Promise<void> {
    return this.store.close()
  }

  async #find(name: string): Promise<string> {
    const { rows } = await this.store.pool.query(
      `select p.id from principal p left join service_principal s on s.principal_id = p.id
       where s.client_id::text = $1 or p.kind = 'group' and p.display_name = $1`,
      [name],
    )
    if (rows.length !== 1) throw new Error(`${rows.length} principals are named ${name}`)
    return rows[0].id
  }
}

/** Opens the metadata store of a running Postern as its superuser, with the master key of its data folder. */
export async function openForge(postern: RunningPostern): Promise<Forge> {
  const dataDir = realpathSync(postern.dataDir)
  const password = readFileSync(join(dataDir, 'metadata', 'superuser-password'), 'utf8').trim()
  const { nodeId } = JSON.parse(readFileSync(join(dataDir, 'node.json'), 'utf8')) as { nodeId: string }
  const host = encodeURIComponent(join(claimSocketRoot(nodeId), 'meta'))
  const url = `postgresql://postern_supervisor:${encodeURIComponent(password)}@localhost/postern?host=${host}`
  const store = await openStore({ url: new Secret(url), poolSize: 2, applicationName: 'forge' })
  const masterKey = MasterKey.parse(readFileSync(join(dataDir, 'master.key'), 'utf8'))
  return new Forge(store, masterKey, await SigningKeys.load(store, masterKey, systemClock))
}

function workspaceOf(claims: JwtClaims): WorkspaceId {
  return claims.iss.slice('urn:postern:workspace:'.length) as WorkspaceId
}
