import type { Noun } from '../../verb.ts'
import { verb as list } from './list.ts'
import { verb as remove } from './remove.ts'

export const profile: Noun = {
  name: 'profile',
  summary: 'Names for control planes and the sign-ins there; `postern login --profile NAME` makes one',
  verbs: [list, remove],
}
