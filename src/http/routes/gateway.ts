import { Gateway } from '../../contract/gateway.ts'
import { answers, type AddRoutes } from '../route.ts'

export const gatewayRoutes: AddRoutes = (app, deps) => {
  app.get('/v1/gateway', { schema: { summary: 'How clients verify the gateway', response: answers(Gateway) } }, () => ({
    port: deps.gatewayPort,
    caPem: deps.gatewayCa(),
  }))
}
