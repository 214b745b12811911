import type { Noun, Verb } from '../verb.ts'
import { audit } from './audit/index.ts'
import { config } from './config/index.ts'
import { credential } from './credential/index.ts'
import { database } from './database/index.ts'
import { instance } from './instance/index.ts'
import { keys } from './keys/index.ts'
import * as login from './login.ts'
import * as logout from './logout.ts'
import * as psql from './psql.ts'
import { role } from './role/index.ts'
import { servicePrincipal } from './service-principal/index.ts'
import * as token from './token.ts'
import * as version from './version.ts'
import * as whoami from './whoami.ts'

/** Verbs that stand alone: `postern <verb>`. */
export const verbs: readonly Verb[] = [login, logout, whoami, token, psql, version]

/** Nouns in the order of the help. */
export const nouns: readonly Noun[] = [instance, role, servicePrincipal, credential, database, audit, keys, config]
