import type { Noun } from '../../verb.ts'
import { verb as create } from './create.ts'
import { verb as remove } from './delete.ts'
import { verb as get } from './get.ts'
import { verb as installDatabricksAuth } from './install-databricks-auth.ts'
import { verb as list } from './list.ts'
import { verb as start } from './start.ts'
import { verb as stop } from './stop.ts'
import { verb as test } from './test.ts'
import { verb as undelete } from './undelete.ts'
import { verb as update } from './update.ts'

export const instance: Noun = {
  name: 'instance',
  summary: 'Instances: the databases that Postern guards',
  verbs: [create, list, get, update, test, start, stop, remove, undelete, installDatabricksAuth],
}
