import type { Noun } from '../../verb.ts'
import { verb as create } from './create.ts'
import { verb as remove } from './delete.ts'
import { verb as get } from './get.ts'
import { verb as list } from './list.ts'
import { verb as update } from './update.ts'
import { federationPolicy } from './federation-policy/index.ts'
import { secret } from './secret/index.ts'

export const servicePrincipal: Noun = {
  name: 'service-principal',
  summary: 'Service principals: the identities of programs',
  verbs: [create, list, get, update, remove],
  nouns: [secret, federationPolicy],
}
