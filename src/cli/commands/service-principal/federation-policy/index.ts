import type { Noun } from '../../../verb.ts'
import { verb as create } from './create.ts'
import { verb as remove } from './delete.ts'
import { verb as list } from './list.ts'

export const federationPolicy: Noun = {
  name: 'federation-policy',
  summary: 'Whose tokens stand for a service principal, at most twenty: CI jobs then need no secret',
  verbs: [create, list, remove],
}
