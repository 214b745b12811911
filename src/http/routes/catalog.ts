import { z } from 'zod'
import { readDatabases, readSchemas, readTable, readTables, searchTables } from '../../catalog/read-catalog.ts'
import {
  CatalogDatabaseList,
  CatalogFindList,
  CatalogListQuery,
  CatalogSchemaList,
  CatalogSearchQuery,
  CatalogTable,
  CatalogTableList,
  CatalogTableQuery,
  CatalogTablesQuery,
} from '../../contract/catalog.ts'
import { cutPage, decodePageToken } from '../page-token.ts'
import { presentCatalogDatabase } from '../present/catalog.ts'
import { actorOf, answers, type AddRoutes } from '../route.ts'

const params = z.object({ name: z.string() })
const databaseParams = params.extend({ database: z.string() })
const tableParams = databaseParams.extend({ table: z.string() })
const databasesPath = '/v1/instances/:name/databases'
const databasePath = `${databasesPath}/:database`
const name = z.string().max(1024)

export const catalogRoutes: AddRoutes = (app, deps) => {
  app.get(
    databasesPath,
    {
      schema: {
        summary: 'List the databases of an instance, as the catalogue has them',
        params,
        querystring: CatalogListQuery,
        response: answers(CatalogDatabaseList),
      },
    },
    async (request) => {
      const { pageSize, pageToken, filter } = request.query
      const page = { limit: pageSize + 1, after: decodePageToken(pageToken, name), filter }
      const found = await readDatabases(deps, actorOf(request), request.params.name, page)
      const { rows, nextPageToken } = cutPage(found, pageSize, (row) => row.name)
      return { databases: rows.map(presentCatalogDatabase), nextPageToken }
    },
  )

  app.get(
    `${databasePath}/schemas`,
    {
      schema: {
        summary: 'List the schemas of a database',
        params: databaseParams,
        querystring: CatalogListQuery,
        response: answers(CatalogSchemaList),
      },
    },
    async (request) => {
      const { pageSize, pageToken, filter } = request.query
      const page = { limit: pageSize + 1, after: decodePageToken(pageToken, name), filter }
      const { name: instance, database } = request.params
      const found = await readSchemas(deps, actorOf(request), instance, database, page)
      const { rows, nextPageToken } = cutPage(found, pageSize, (row) => row.name)
      return { schemas: [...rows], nextPageToken }
    },
  )

  app.get(
    `${databasePath}/tables`,
    {
      schema: {
        summary: 'List the tables and views of a database',
        params: databaseParams,
        querystring: CatalogTablesQuery,
        response: answers(CatalogTableList),
      },
    },
    async (request) => {
      const { pageSize, pageToken, filter, schema } = request.query
      const after = decodePageToken(pageToken, z.tuple([name, name]))
      const page = { limit: pageSize + 1, after: after && { schema: after[0], name: after[1] }, filter }
      const { name: instance, database } = request.params
      const found = await readTables(deps, actorOf(request), instance, database, schema, page)
      const { rows, nextPageToken } = cutPage(found, pageSize, (row) => [row.schema, row.name])
      return { tables: [...rows], nextPageToken }
    },
  )

  app.get(
    `${databasePath}/tables/:table`,
    {
      schema: {
        summary: 'Read one table with its columns and indexes',
        params: tableParams,
        querystring: CatalogTableQuery,
        response: answers(CatalogTable),
      },
    },
    async (request) => {
      const { name: instance, database, table } = request.params
      const { schema } = request.query
      const found = await readTable(deps, actorOf(request), instance, database, { schema, name: table })
      return {
        ...found,
        columns: found.columns.map((column) => ({ ...column })),
        indexes: found.indexes.map((index) => ({ ...index, columns: [...index.columns] })),
      }
    },
  )

  app.get(
    '/v1/catalog::search',
    {
      schema: {
        summary: 'Find tables of the workspace by their name or that of a column',
        querystring: CatalogSearchQuery,
        response: answers(CatalogFindList),
      },
    },
    async (request) => {
      const { pageSize, pageToken, query } = request.query
      const after = decodePageToken(pageToken, z.tuple([name, name, name, name]))
      const page = {
        limit: pageSize + 1,
        after: after && { instance: after[0], database: after[1], schema: after[2], table: after[3] },
      }
      const found = await searchTables(deps, actorOf(request), query, page)
      const { rows, nextPageToken } = cutPage(found, pageSize, (row) => [
        row.instance,
        row.database,
        row.schema,
        row.table,
      ])
      return { tables: rows.map((row) => ({ ...row, matchedColumns: [...row.matchedColumns] })), nextPageToken }
    },
  )
}
