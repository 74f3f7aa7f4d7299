"""Networks of other papers that DNABERT is compared with."""
