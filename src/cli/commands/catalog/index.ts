import type { Noun } from '../../verb.ts'
import { verb as databases } from './databases.ts'
import { verb as search } from './search.ts'
import { verb as table } from './table.ts'
import { verb as tables } from './tables.ts'

export const catalog: Noun = {
  name: 'catalog',
  summary: 'What Postern knows of the databases of an instance; `postern sync` reads them',
  verbs: [databases, tables, table, search],
}
