"""Where sets are computed: the queries of `queries/`, and the engines that run them."""
