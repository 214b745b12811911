import type { Noun } from '../../verb.ts'
import { verb as create } from './create.ts'
import { verb as remove } from './delete.ts'
import { verb as get } from './get.ts'
import { verb as list } from './list.ts'
import { verb as update } from './update.ts'

export const ssoProvider: Noun = {
  name: 'sso-provider',
  summary: 'Identity providers through which people sign in to the workspace',
  verbs: [create, list, get, update, remove],
}
