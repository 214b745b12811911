import { currentUid, currentUserName, ensureOsUser, type OsUser } from '../postgres-server/os-user.ts'

/** Who the processes of this node run as. */
export interface SystemUsers {
  /** Control plane and gateway; undefined: the current user. */
  readonly own: OsUser | undefined
  /** Its name, to which pg_ident.conf of managed instances maps every bound Postgres role. */
  readonly ownName: string
  /** The metadata Postgres; undefined: the current user. */
  readonly metadata: OsUser | undefined
}

/**
 * Started as root, nothing but the supervisor stays root, and no server can read another's files. Started as anybody else,
 * everything runs as that user.
 */
export async function systemUsers(announce: (line: string) => void): Promise<SystemUsers> {
  if (currentUid() !== 0) return { own: undefined, ownName: await currentUserName(), metadata: undefined }
  const own = await ensureOsUser('postern', announce)
  const metadata = await ensureOsUser('postern-meta', announce)
  return { own, ownName: own.name, metadata }
}
