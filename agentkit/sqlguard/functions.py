"""The functions that a statement may call: by allow-list, as no block-list can know them all.

What is not here: functions that change something, wait, lock, read files or the network, run SQL given as text, or tell
about the server, its users and its catalogues.
"""

from __future__ import annotations

from agentkit.sqlguard.schema import Dialect


def _words(*texts: str) -> frozenset[str]:
    return frozenset(word for text in texts for word in text.split())


CLASSES = _words(
    # logic, types, values
    "And Or Xor Case If Exists Cast TryCast Collate Concat Array",
    # what has a syntax of its own
    "Extract Trim StrPosition Substring Overlay GroupConcat Unnest",
    "CurrentDate CurrentTime CurrentTimestamp CurrentDatetime Localtime Localtimestamp",
    # operators
    """Abs Pow Sqrt Cbrt StartsWith RegexpLike RegexpILike ArrayContainsAll ArrayContainedBy ArrayOverlaps MatchAgainst
    JSONExtract JSONExtractScalar JSONBExtract JSONBExtractScalar JSONBContains JSONBContainsAllTopKeys
    JSONBContainsAnyTopKeys JSONBContainsTopKey JSONBDeleteAtPath JSONBPathExists""",
)
"""Names of the classes that the parser makes of operators and of functions with a syntax of their own."""

DUCKDB_CLASSES = CLASSES | _words("List Struct ToMap Map Columns")

SPECIAL = frozenset("CAST TRY_CAST EXTRACT TRIM POSITION SUBSTRING OVERLAY STRING_AGG".split())  # noqa: SIM905
"""Functions whose arguments are more than a list. All others are read, checked and written by their name."""

POSTGRES = _words(
    """abs acos acosd acosh age array_agg array_append array_cat array_dims array_length array_lower array_ndims
        array_position array_positions array_prepend array_remove array_replace array_reverse array_sample array_sort
        array_to_json array_to_string array_upper ascii asin asind asinh atan atan2 atan2d atand atanh avg bit_and
        bit_count bit_length bit_or bit_xor bool_and bool_or btrim cardinality cbrt ceil ceiling char_length
        character_length chr clock_timestamp coalesce concat concat_ws convert_from convert_to corr cos cosd cosh cot
        cotd count covar_pop covar_samp cume_dist date_add date_bin date_part date_subtract date_trunc decode degrees
        dense_rank div encode erf erfc every exp extract factorial first_value floor format gamma gcd
        gen_random_uuid generate_series generate_subscripts get_bit get_byte greatest grouping initcap isempty isfinite
        jaccard json_agg json_array_elements json_array_elements_text json_array_length json_build_array
        json_build_object json_each json_each_text json_extract_path json_extract_path_text json_object
        json_object_agg json_object_keys json_populate_record json_populate_recordset json_strip_nulls json_to_record
        json_to_recordset json_typeof json_scalar json_serialize jsonb_agg jsonb_array_elements
        jsonb_array_elements_text jsonb_array_length jsonb_build_array jsonb_build_object jsonb_concat jsonb_contains
        jsonb_delete jsonb_each jsonb_each_text jsonb_exists jsonb_exists_all jsonb_exists_any jsonb_extract_path
        jsonb_extract_path_text jsonb_insert jsonb_object jsonb_object_agg jsonb_object_keys jsonb_path_exists
        jsonb_path_match jsonb_path_query jsonb_path_query_array jsonb_path_query_first jsonb_populate_record
        jsonb_populate_recordset jsonb_pretty jsonb_set jsonb_set_lax jsonb_strip_nulls jsonb_to_record
        jsonb_to_recordset jsonb_typeof justify_days justify_hours justify_interval lag last_value lcm lead least left
        length lgamma ln log log10 lower lower_inc lower_inf lpad ltrim make_date make_interval make_time
        make_timestamp make_timestamptz max md5 min min_scale mod mode multirange normalize now nth_value ntile
        num_nonnulls num_nulls numnode numrange daterange int4range int8range tsrange tstzrange range_agg
        range_intersect_agg range_merge nullif octet_length overlay parse_ident percent_rank percentile_cont
        percentile_disc pg_typeof phraseto_tsquery pi plainto_tsquery position pow power quote_ident quote_literal
        quote_nullable radians random random_normal rank regexp_count regexp_instr regexp_like regexp_match
        regexp_matches regexp_replace regexp_split_to_array regexp_split_to_table regexp_substr regr_avgx regr_avgy
        regr_count regr_intercept regr_r2 regr_slope regr_sxx regr_sxy regr_syy repeat replace reverse right round row
        row_number row_to_json rpad rtrim scale setweight sha224 sha256 sha384 sha512 sign sin sind sinh similarity
        split_part sqrt starts_with statement_timestamp stddev stddev_pop stddev_samp string_agg string_to_array
        string_to_table strip strpos substr substring sum tan tand tanh timeofday timezone to_ascii to_bin to_char
        to_date to_hex to_json to_jsonb to_number to_oct to_timestamp to_tsquery to_tsvector transaction_timestamp
        translate trim trim_array trim_scale trunc ts_headline ts_rank ts_rank_cd tsvector_to_array unaccent unistr
        unnest upper upper_inc upper_inf uuid_extract_timestamp uuidv4 uuidv7 var_pop var_samp variance
        websearch_to_tsquery width_bucket word_similarity casefold crc32 crc32c isnan unicode_assigned any_value
        to_array any all some exists array values cast json jsonb date time timestamp timestamptz interval
        text int4 int8 float8 numeric bool cosine_distance l2_distance inner_product vector_dims abbrev broadcast
        family host hostmask masklen netmask network inet_merge inet_same_family area box center circle diagonal
        diameter height isclosed isopen line lseg path point polygon radius slope width
        bound_box""",
)

SQLITE = _words(
    """abs avg ceil ceiling char coalesce concat concat_ws count cume_dist current_date current_time
        current_timestamp date datetime degrees dense_rank exp first_value floor format glob group_concat hex ifnull iif
        if instr json json_array json_array_length json_error_position json_extract json_group_array
        json_group_object json_insert json_object json_patch json_pretty json_quote json_remove json_replace json_set
        json_type json_valid json_each json_tree jsonb jsonb_array jsonb_extract jsonb_group_array jsonb_group_object
        jsonb_object julianday lag last_value lead length like likelihood likely ln log log10 log2 lower ltrim max
        median min mod nth_value ntile nullif octet_length percent_rank percentile percentile_cont percentile_disc pi
        pow power printf quote radians random rank replace round row_number rtrim sign sin sinh cos cosh tan tanh asin
        acos atan atan2 asinh acosh atanh sqrt soundex strftime string_agg subtype substr substring sum timediff time
        total trim trunc typeof unhex unicode unistr unixepoch unlikely upper zeroblob
        randomblob -> ->> highlight snippet bm25
        match regexp cast exists generate_series""",
)

DUCKDB = _words(
    """abs acos acosh add age aggregate any_value apply approx_count_distinct approx_quantile approx_top_k arg_max
        arg_max_null arg_min arg_min_null argmax argmin array_aggr array_aggregate array_agg array_append array_apply
        array_cat array_concat array_contains array_cosine_distance array_cosine_similarity array_cross_product
        array_distance array_distinct array_dot_product array_extract array_filter array_grade_up array_has
        array_has_all array_has_any array_indexof array_inner_product array_intersect array_length
        array_negative_inner_product array_position array_prepend array_push_back array_push_front array_reduce
        array_reverse array_reverse_sort array_select array_slice array_sort array_to_json
        array_to_string array_transform array_unique array_value array_where array_zip array_pop_back array_pop_front
        ascii asin asinh atan atan2 atanh avg base64 bin bit_and bit_count bit_length bit_or bit_position bit_xor
        bitstring_agg bool_and bool_or cardinality cast cbrt ceil ceiling century char_length
        character_length chr coalesce concat concat_ws constant_or_null contains corr cos cosh cot count count_if
        count_star countif covar_pop covar_samp current_date cume_dist damerau_levenshtein date date_add date_diff
        date_part date_sub date_trunc datediff datepart datesub datetrunc day dayname dayofmonth dayofweek dayofyear
        decade decode degrees dense_rank divide editdist3 element_at encode ends_with entropy enum_code enum_first
        enum_last enum_range enum_range_boundary epoch epoch_ms epoch_ns epoch_us era even
        exists exp factorial favg fdiv filter first first_value flatten floor fmod format formatreadabledecimalsize
        formatreadablesize format_bytes from_base64 from_binary from_hex from_json from_json_strict fsum gamma gcd
        gen_random_uuid generate_series generate_subscripts geomean geometric_mean get_bit get_current_timestamp
        grade_up greatest greatest_common_divisor group_concat hamming hash hex histogram histogram_exact
        histogram_values hour ifnull ilike_escape instr is_histogram_other_bin isfinite isinf isnan isodow isoyear
        jaccard jaro_similarity jaro_winkler_similarity json json_array json_array_length json_contains json_each
        json_exists json_extract json_extract_path json_extract_path_text json_extract_string json_group_array
        json_group_object json_group_structure json_keys json_merge_patch json_object json_pretty json_quote
        json_structure json_transform json_transform_strict json_tree json_type json_valid json_value julian kahan_sum
        kurtosis kurtosis_pop lag last last_day last_value lcase lcm lead least least_common_multiple left left_grapheme
        len length length_grapheme levenshtein lgamma like_escape list list_aggr list_aggregate list_any_value
        list_append list_apply list_approx_count_distinct list_avg list_bit_and list_bit_or list_bit_xor list_bool_and
        list_bool_or list_cat list_concat list_contains list_cosine_distance list_cosine_similarity list_count
        list_distance list_distinct list_dot_product list_element list_entropy list_extract list_filter list_first
        list_grade_up list_has list_has_all list_has_any list_histogram list_indexof list_inner_product list_intersect
        list_kurtosis list_last list_mad list_max list_median list_min list_mode list_pack list_position list_prepend
        list_product list_reduce list_reverse list_reverse_sort list_select list_sem list_skewness
        list_slice list_sort list_stddev_pop list_stddev_samp list_string_agg list_sum list_transform list_unique
        list_value list_var_pop list_var_samp list_where list_zip listagg ln log log10 log2 lower lpad ltrim mad
        make_date make_time make_timestamp make_timestamp_ns make_timestamptz map map_concat map_contains map_entries
        map_extract map_extract_value map_from_entries map_keys map_values max max_by md5 md5_number mean median
        microsecond millennium millisecond min min_by minute mismatches mod mode month monthname multiply nanosecond
        nextafter nfc_normalize normalized_interval not_ilike_escape not_like_escape now nth_value ntile nullif
        octet_length ord parse_dirname parse_dirpath parse_filename parse_formatted_bytes parse_path percent_rank pi
        position pow power prefix printf product quantile quantile_cont quantile_disc quarter radians random range rank
        rank_dense
        reduce regexp_escape regexp_extract regexp_extract_all regexp_full_match regexp_matches
        regexp_replace regexp_split_to_array regexp_split_to_table regr_avgx regr_avgy regr_count regr_intercept
        regr_r2 regr_slope regr_sxx regr_sxy regr_syy remap_struct repeat replace reservoir_quantile
        reverse right right_grapheme round round_even roundbankers row row_number row_to_json rpad rtrim second sem
        sha1 sha256 sign signbit sin sinh skewness split split_part sqrt starts_with stddev stddev_pop stddev_samp
        str_split str_split_regex strftime string_agg string_split string_split_regex string_to_array strip_accents
        strlen strpos strptime struct_concat struct_contains struct_extract struct_extract_at struct_has struct_indexof
        struct_insert struct_pack struct_position struct_update subtract substr substring substring_grapheme suffix sum
        sumkahan tan tanh time_bucket timezone timezone_hour timezone_minute to_base64 to_binary to_centuries
        to_days to_decades to_hex to_hours to_json to_microseconds to_millennia to_milliseconds to_minutes to_months
        to_quarters to_seconds to_timestamp to_weeks to_years today transaction_timestamp translate trim trunc
        try_strptime typeof ucase unbin unhex unicode union_extract union_tag union_value unnest upper
        url_decode url_encode uuid uuidv4 uuidv7 var_pop var_samp variance vector_type wavg week weekday weekofyear
        weighted_avg width_bucket xor year yearweek current_localtime current_localtimestamp
        julian_day glob like regexp any all array values fill generate_subscripts sort_key create_sort_key
        columns bitwise_and bitwise_or grouping grouping_id percentile_cont percentile_disc""",
)

OF: dict[Dialect, frozenset[str]] = {"postgres": POSTGRES, "sqlite": SQLITE, "duckdb": DUCKDB}

CLASSES_OF: dict[Dialect, frozenset[str]] = {"postgres": CLASSES, "sqlite": CLASSES, "duckdb": DUCKDB_CLASSES}
