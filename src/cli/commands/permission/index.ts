import type { Noun } from '../../verb.ts'
import { verb as creators } from './creators.ts'
import { verb as grantCreate } from './grant-create.ts'
import { verb as grant } from './grant.ts'
import { verb as list } from './list.ts'
import { verb as revokeCreate } from './revoke-create.ts'
import { verb as revoke } from './revoke.ts'

export const permission: Noun = {
  name: 'permission',
  summary: 'Who may use, manage and create instances',
  verbs: [list, grant, revoke, creators, grantCreate, revokeCreate],
}
