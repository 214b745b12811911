import type { Noun } from '../../verb.ts'
import * as create from './create.ts'
import * as remove from './delete.ts'
import * as get from './get.ts'
import * as list from './list.ts'
import * as start from './start.ts'
import * as stop from './stop.ts'
import * as update from './update.ts'

export const instance: Noun = {
  name: 'instance',
  summary: 'Instances: the databases that Postern guards',
  verbs: [create, list, get, update, start, stop, remove],
}
