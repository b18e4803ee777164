package org.apache.hadoop.hive.dynamodb;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.Iterator;
import java.util.List;
import java.util.Map;
import java.util.Properties;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.hive.metastore.HiveMetaHook;
import org.apache.hadoop.hive.metastore.api.MetaException;
import org.apache.hadoop.hive.metastore.api.Table;
import org.apache.hadoop.hive.ql.metadata.DefaultStorageHandler;
import org.apache.hadoop.hive.serde2.AbstractSerDe;
import org.apache.hadoop.hive.serde2.SerDeException;
import org.apache.hadoop.hive.serde2.SerDeStats;
import org.apache.hadoop.hive.serde2.objectinspector.ObjectInspector;
import org.apache.hadoop.hive.serde2.objectinspector.ObjectInspectorFactory;
import org.apache.hadoop.hive.serde2.typeinfo.TypeInfo;
import org.apache.hadoop.hive.serde2.typeinfo.TypeInfoUtils;
import org.apache.hadoop.io.Text;
import org.apache.hadoop.io.Writable;
import org.apache.hadoop.mapred.TextInputFormat;

/**
 * Reads tables of the local DynamoDB under the name of Amazon EMR's connector, which no package index has.
 *
 * A table's items lie in the folder of the system property `dynamodb.tables`, one a line, as the API gives them.
 */
public class DynamoDBStorageHandler extends DefaultStorageHandler {
    public Class getInputFormatClass() {
        return TextInputFormat.class;
    }

    public Class getSerDeClass() {
        return ItemSerDe.class;
    }

    public HiveMetaHook getMetaHook() {
        return new TableHook();
    }

    public static class TableHook implements HiveMetaHook {
        public void preCreateTable(Table table) throws MetaException {
            Map properties = table.getParameters();
            Object name = properties.get("dynamodb.table.name");
            if (name == null) {
                name = properties.get("table");
            }
            if (name == null) {
                throw new MetaException("dynamodb.table.name is missing");
            }
            java.io.File folder = new java.io.File(System.getProperty("dynamodb.tables"), (String) name);
            if (!folder.isDirectory()) {
                throw new MetaException("DynamoDB has no table " + name);
            }
            table.getSd().setLocation(folder.toURI().toString());
        }

        public void rollbackCreateTable(Table table) {}

        public void commitCreateTable(Table table) {}

        public void preDropTable(Table table) {}

        public void rollbackDropTable(Table table) {}

        public void commitDropTable(Table table, boolean deleteData) {}
    }

    /** Columns are attributes, by `dynamodb.column.mapping` or of the same name; a column `item` is the whole item. */
    public static class ItemSerDe extends AbstractSerDe {
        private final ObjectMapper mapper = new ObjectMapper();
        private final List columns = new ArrayList();
        private final List types = new ArrayList();
        private final Map attributes = new HashMap();
        private ObjectInspector inspector;

        public void initialize(Configuration configuration, Properties properties) throws SerDeException {
            String[] names = properties.getProperty("columns", "").split(",");
            List found = TypeInfoUtils.getTypeInfosFromTypeString(properties.getProperty("columns.types", ""));
            List inspectors = new ArrayList();
            for (int i = 0; i < names.length; i++) {
                columns.add(names[i]);
                types.add(found.get(i));
                inspectors.add(TypeInfoUtils.getStandardJavaObjectInspectorFromTypeInfo((TypeInfo) found.get(i)));
            }
            String mapping = properties.getProperty("dynamodb.column.mapping", "");
            String[] pairs = mapping.split(",");
            for (int i = 0; i < pairs.length && !mapping.isEmpty(); i++) {
                String[] pair = pairs[i].split(":");
                attributes.put(pair[0].toLowerCase(), pair[1]);
            }
            inspector = ObjectInspectorFactory.getStandardStructObjectInspector(columns, inspectors);
        }

        public Object deserialize(Writable line) throws SerDeException {
            JsonNode item;
            try {
                item = mapper.readTree(((Text) line).toString());
            } catch (java.io.IOException error) {
                throw new SerDeException(error);
            }
            List row = new ArrayList();
            for (int i = 0; i < columns.size(); i++) {
                String type = ((TypeInfo) types.get(i)).getTypeName();
                row.add(type.equals("map<string,string>") ? (Object) whole(item) : value(item, (String) columns.get(i), type));
            }
            return row;
        }

        private Object value(JsonNode item, String column, String type) throws SerDeException {
            String attribute = attributes.containsKey(column) ? (String) attributes.get(column) : column;
            JsonNode typed = item.get(attribute);
            if (typed == null) {
                return null;
            }
            String text = ((JsonNode) typed.elements().next()).asText();
            if (type.equals("string")) {
                return text;
            }
            if (type.equals("bigint")) {
                return Long.valueOf(text);
            }
            if (type.equals("double")) {
                return Double.valueOf(text);
            }
            throw new SerDeException("Unsupported type of the column " + column + ": " + type);
        }

        private Map whole(JsonNode item) {
            Map found = new HashMap();
            for (Iterator names = item.fieldNames(); names.hasNext(); ) {
                String name = (String) names.next();
                found.put(name, item.get(name).toString());
            }
            return found;
        }

        public ObjectInspector getObjectInspector() {
            return inspector;
        }

        public Class getSerializedClass() {
            return Text.class;
        }

        public Writable serialize(Object row, ObjectInspector rows) throws SerDeException {
            throw new SerDeException("Writing to DynamoDB is not carried out here");
        }

        public SerDeStats getSerDeStats() {
            return null;
        }
    }
}
