// Starts GraphiQL on this page's own address. A file of its own, because the page's policy allows no inline scripts.
const firstQuery = `# A request needs an access token. Print one with
#
#     python manage.py token ana
#
# and put it into the Headers tab below:
#
#     {"Authorization": "Bearer <token>"}
#
# Ctrl-Enter runs the operation at the cursor.

query Me {
  me {
    id
    nickname
    tags
    tier
  }
}
`;

const headers = JSON.stringify({ Authorization: "" }, null, 2);

ReactDOM.createRoot(document.getElementById("graphiql")).render(
  React.createElement(GraphiQL, {
    fetcher: GraphiQL.createFetcher({ url: window.location.pathname }),
    defaultQuery: firstQuery,
    defaultHeaders: headers,
    defaultEditorToolsVisibility: "headers",
    isHeadersEditorEnabled: true,
    shouldPersistHeaders: false,
  }),
);
