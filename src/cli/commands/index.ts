import type { Noun, Verb } from '../verb.ts'
import { audit } from './audit/index.ts'
import { auth } from './auth/index.ts'
import { catalog } from './catalog/index.ts'
import { config } from './config/index.ts'
import { verb as connect } from './connect.ts'
import { credential } from './credential/index.ts'
import { database } from './database/index.ts'
import { dataSource } from './data-source/index.ts'
import { engine } from './engine/index.ts'
import { group } from './group/index.ts'
import { instance } from './instance/index.ts'
import { keys } from './keys/index.ts'
import { verb as login } from './login.ts'
import { verb as logout } from './logout.ts'
import { permission } from './permission/index.ts'
import { profile } from './profile/index.ts'
import { password } from './password/index.ts'
import { verb as psql } from './psql.ts'
import { role } from './role/index.ts'
import { servicePrincipal } from './service-principal/index.ts'
import { verb as setupGuide } from './setup-guide.ts'
import { ssoProvider } from './sso-provider/index.ts'
import { sshKey } from './ssh-key/index.ts'
import { verb as sql } from './sql.ts'
import { verb as sync } from './sync.ts'
import { verb as token } from './token.ts'
import { user } from './user/index.ts'
import { verb as version } from './version.ts'
import { verb as whoami } from './whoami.ts'
import { workspace } from './workspace/index.ts'

/** Verbs that stand alone: `postern <verb>`. */
export const verbs: readonly Verb[] = [login, logout, whoami, token, psql, connect, sql, sync, setupGuide, version]

/** Nouns in the order of the help. */
export const nouns: readonly Noun[] = [
  instance,
  dataSource,
  sshKey,
  engine,
  catalog,
  role,
  permission,
  user,
  group,
  servicePrincipal,
  ssoProvider,
  workspace,
  password,
  credential,
  database,
  audit,
  keys,
  config,
  profile,
  auth,
]
