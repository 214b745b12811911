import type { Noun } from '../../verb.ts'
import * as create from './create.ts'
import * as remove from './delete.ts'
import * as get from './get.ts'
import * as list from './list.ts'
import * as update from './update.ts'
import { secret } from './secret/index.ts'

export const servicePrincipal: Noun = {
  name: 'service-principal',
  summary: 'Service principals: the identities of programs',
  verbs: [create, list, get, update, remove],
  nouns: [secret],
}
